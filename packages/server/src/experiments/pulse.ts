/*
 * Whether running experiments are still fed: a dead-man timer each for exposures and for events of their metrics.
 *
 *   batch acknowledged ── next turn of the loop ──> of a running experiment? ──> noted, to the minute, with all servers
 *   once a minute ──> silent for a day? ──> told, once for each silence
 */
import type { EpochMs, ExperimentKey, Uncovered } from "@belay/protocol";
import type { UseBook } from "../access/use-book.ts";
import { selectionsOf } from "../metrics/domain.ts";
import type { ExperimentDocument, ProjectState, Workspace } from "../state/workspace.ts";
import type { IncomingBatch } from "../store/events/index.ts";
import type { Notice } from "../webhooks/message.ts";
import { rampOf } from "./ramp.ts";

/** What stopped. */
export type Silence = "exposures-silent" | "metrics-silent";

/** When something of an experiment was last taken in, by any server; absent: never since the book was begun. */
export interface LastHeard {
  readonly exposuresAt?: EpochMs;
  readonly metricsAt?: EpochMs;
}

/** Exposures and events come in every day from whatever is worth an experiment. */
export const SILENT_AFTER_MS: number = 86_400_000;

/** Since when something should be heard of an experiment. */
export interface Expected {
  readonly startedAt?: string;
  /** Since when units can be exposed, where that is later; infinite while none can. */
  readonly exposableFrom?: EpochMs;
}

/** What is expected of a running experiment. While a release ramps it, exposures come as its stage lets units in. */
export function expectedOf(
  project: Pick<ProjectState, "environments">,
  key: ExperimentKey,
  { startedAt }: Pick<ExperimentDocument, "startedAt">,
): Expected {
  const started = startedAt === undefined ? {} : { startedAt };
  const stretch = rampOf(project, key)?.body.epochs.at(-1);
  if (stretch === undefined) return started;
  return { ...started, exposableFrom: stretch.percentage === 0 ? Number.POSITIVE_INFINITY : Date.parse(stretch.from) };
}

/** What fell silent, counted from the start where nothing was ever heard. */
export function silencesOf(
  { startedAt = "", exposableFrom = Number.NEGATIVE_INFINITY }: Expected,
  { exposuresAt, metricsAt }: LastHeard,
  now: EpochMs,
): Silence[] {
  const startedMs = Date.parse(startedAt);
  const isSilent = (at: EpochMs = startedMs): boolean => now - Math.max(at, startedMs) > SILENT_AFTER_MS;
  return [
    ...(isSilent(Math.max(exposuresAt ?? startedMs, exposableFrom)) ? (["exposures-silent"] as const) : []),
    ...(isSilent(metricsAt) ? (["metrics-silent"] as const) : []),
  ];
}

/** Why nobody would notice harm by a running experiment. No start leads here: it is refused then. */
export function gapOf({
  metrics,
  alertRoute,
}: Pick<ExperimentDocument, "metrics" | "alertRoute">): Uncovered["because"] | undefined {
  if (metrics.guardrails.length === 0) return "no-guardrail";
  return alertRoute === undefined ? "no-alert-route" : undefined;
}

/** A running experiment of which something is heard no more. */
export interface SilentExperiment {
  readonly project: string;
  readonly key: ExperimentKey;
  readonly document: ExperimentDocument;
  readonly silence: Silence;
  /** When it was last heard; its start where it never was. */
  readonly since: EpochMs;
}

export interface ExperimentPulseOptions {
  readonly workspace: () => Workspace;
  readonly book: Pick<UseBook, "note" | "lastAt">;
  readonly now: () => EpochMs;
  /** Told of a silence; the same notice may come again, from another server too. */
  readonly tell: (notice: Notice) => void;
  /** Time between looks. Default 1 min. */
  readonly everyMs?: number;
}

export class ExperimentPulse {
  readonly #options: ExperimentPulseOptions;
  readonly #timer: NodeJS.Timeout;
  /** Silences that were told, and are not over. */
  readonly #told = new Set<string>();

  constructor(options: ExperimentPulseOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.look(), options.everyMs ?? 60_000).unref();
  }

  /** A batch was acknowledged. Returns at once: it delays no answer. */
  take(batch: Pick<IncomingBatch, "project" | "environment" | "exposures" | "metrics">): void {
    setImmediate(() => this.count(batch));
  }

  count({
    project,
    environment,
    exposures,
    metrics,
  }: Pick<IncomingBatch, "project" | "environment" | "exposures" | "metrics">): void {
    const running = this.#running().filter((one) => one.project === project && one.document.environment === environment);
    if (running.length === 0) return;
    const exposed = new Set(exposures.map(({ experiment }) => experiment));
    const names = new Set(metrics.map(({ name }) => name));
    for (const { key, document } of running) {
      if (exposed.has(key)) this.#options.book.note("experiment-exposures", idOf(project, key));
      if (eventsOf(document).some((name) => names.has(name))) this.#options.book.note("experiment-metrics", idOf(project, key));
    }
  }

  heard(project: string, key: string): LastHeard {
    const { book } = this.#options;
    const [exposuresAt, metricsAt] = [
      book.lastAt("experiment-exposures", idOf(project, key)),
      book.lastAt("experiment-metrics", idOf(project, key)),
    ];
    return {
      ...(exposuresAt === undefined ? {} : { exposuresAt }),
      ...(metricsAt === undefined ? {} : { metricsAt }),
    };
  }

  /** Running experiments that nobody watches: always none. */
  uncovered(): Uncovered[] {
    return this.#running().flatMap(({ project, key, document }) => {
      const because = gapOf(document);
      return because === undefined ? [] : [{ kind: "experiment", project, environment: document.environment, key, because }];
    });
  }

  /** What is silent now, by experiment; one may be so twice. */
  silent(): SilentExperiment[] {
    const { now } = this.#options;
    return this.#running().flatMap(({ project, state, key, document }) => {
      const heard = this.heard(project, key);
      return silencesOf(expectedOf(state, key, document), heard, now()).map((silence) => {
        const lastAt = silence === "exposures-silent" ? heard.exposuresAt : heard.metricsAt;
        return { project, key, document, silence, since: lastAt ?? Date.parse(document.startedAt ?? "") };
      });
    });
  }

  /** Tells of what fell silent since the last time. */
  look(): void {
    const { now, tell } = this.#options;
    const silent = this.silent().map((one) => ({ id: silenceIdOf(one), ...one }));
    for (const one of silent) {
      if (!this.#told.has(`${one.project} ${one.id}`)) tell(noticeOf(one, now()));
    }
    this.#told.clear();
    for (const { project, id } of silent) this.#told.add(`${project} ${id}`);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #running(): Running[] {
    return [...this.#options.workspace().projects].flatMap(([project, state]) =>
      [...state.experiments].flatMap(([key, { body }]) =>
        body.status === "running" ? [{ project, state, key, document: body }] : [],
      ),
    );
  }
}

interface Running {
  readonly project: string;
  readonly state: ProjectState;
  readonly key: string;
  readonly document: ExperimentDocument;
}

/** Names of the metric events that its metrics are made of. */
function eventsOf({ frozen }: ExperimentDocument): string[] {
  return (frozen?.metrics ?? []).flatMap(({ measure }) => selectionsOf(measure).map(({ events }) => events.name));
}

function silenceIdOf({ key, silence, since }: SilentExperiment): string {
  return `experiment-silent_${key}_${silence}_${since}`;
}

function noticeOf(silent: SilentExperiment & { readonly id: string }, at: EpochMs): Notice {
  const { id, project, key, silence } = silent;
  const what = silence === "exposures-silent" ? "exposures" : "events of its metrics";
  const since = new Date(silent.since).toISOString();
  const { environment, alertRoute } = silent.document;
  return {
    id,
    type: "experiment.silent",
    project,
    environments: [environment],
    at: new Date(at).toISOString(),
    text: `Experiment \`${key}\` in ${environment}: no ${what} since ${since}`,
    data: { experiment: key, environment, silence, since },
    ...(alertRoute === undefined ? {} : { to: [alertRoute] }),
  };
}

/** Keys hold no space. */
const idOf = (project: string, key: string): string => `${project} ${key}`;
