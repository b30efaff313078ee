/* The facts behind the figures, read off a project's state and its exposure ledger: pure. */
import type { EpochMs, LearningCase, LearningReport, Look, Propagation } from "@belay/protocol";
import { placesOf } from "../code-places/domain.ts";
import { accountOf, type InstanceAccount } from "../ledger/domain.ts";
import { outcomesKey } from "../releases/log/outcomes.ts";
import { isLive } from "../releases/states.ts";
import { reasonText } from "../results/words.ts";
import type { ExperimentDocument, ProjectState, ReleaseDocument } from "../state/workspace.ts";
import type { LedgerLine } from "../store/events/index.ts";
import {
  calibrationOf,
  type Debt,
  deploymentsOf,
  flagDebtOf,
  type Parted,
  type Predicted,
  type Spanned,
  shareOf,
  spansOf,
  type Window,
} from "./figures.ts";

/** What the figures are held to: half an hour, a day, a week. */
const TARGETS = { rollbackMs: 30 * 60_000, insightMs: 86_400_000, turnaroundMs: 7 * 86_400_000 } as const;
const DELIVERED = 0.99;
/** As the ledger's own report: an instance not heard for ten minutes has lost what is missing. */
const SILENT_MS = 600_000;

export interface Known {
  readonly project: ProjectState;
  readonly lines: readonly LedgerLine[];
  readonly window: Window;
  /** Environments that whoever asks may see. */
  readonly isVisible: (environment: string) => boolean;
  /** Why a live release or a running experiment is not watched, or has fallen silent; `undefined`: it is watched and heard. */
  readonly gapOf: (kind: "release" | "experiment", environment: string, key: string) => string | undefined;
}

interface OneRelease {
  readonly of: LearningCase;
  readonly body: ReleaseDocument;
}

interface OneExperiment {
  readonly of: LearningCase;
  readonly body: ExperimentDocument;
  readonly looks: readonly Look[];
}

export function learningReport(known: Known): LearningReport {
  const { project, window } = known;
  const releases = releasesOf(known);
  const experiments = experimentsOf(known);
  const recent = <T extends { readonly of: LearningCase }>(things: readonly T[], at: (thing: T) => string | undefined): T[] =>
    things.flatMap((thing) => {
      const when = at(thing);
      const isIn = when !== undefined && Date.parse(when) >= window.from && Date.parse(when) <= window.to;
      return isIn ? [{ ...thing, of: { ...thing.of, at: when } }] : [];
    });
  const started = recent(releases, ({ body }) => body.startedAt);
  const asked = recent(experiments, ({ body }) => body.startedAt);
  const back = recent(releases, ({ body }) => body.rollback?.detectedAt ?? body.rollback?.decidedAt);
  const ready = recent(experiments, readyAt);
  const ended = recent(releases, ({ body }) => (body.startedAt === undefined ? undefined : body.endedAt));
  const decided = recent(experiments, ({ body }) => body.decision?.at ?? body.stoppedAt);
  return {
    project: project.key,
    from: new Date(window.from).toISOString(),
    to: new Date(window.to).toISOString(),
    deployments: deploymentsOf(
      started.map(({ of }) => of),
      window,
    ),
    rollbacks: spansOf(back.map(rollbackSpan), TARGETS.rollbackMs),
    coverage: shareOf(covered(known, releases, experiments), 1),
    insight: spansOf([...started.map(releaseInsight), ...asked.map(experimentInsight)], TARGETS.insightMs),
    turnaround: spansOf(ready.map(turnaround), TARGETS.turnaroundMs),
    calibration: calibrationOf([
      ...decided.flatMap(predicted),
      ...ended.flatMap((release) => predictedByRelease(project, release)),
    ]),
    exposures: shareOf(deliveredOf(known, releases, experiments), DELIVERED),
    flagDebt: flagDebtOf(debts(project), project.flags.size),
  };
}

function releasesOf({ project, isVisible }: Known): OneRelease[] {
  return [...project.environments].flatMap(([environment, { releases }]) =>
    isVisible(environment)
      ? [...releases].map(([key, { body }]) => {
          const href = `/api/v1/projects/${project.key}/environments/${environment}/releases/${key}`;
          return { of: { kind: "release" as const, key, environment, href }, body };
        })
      : [],
  );
}

function experimentsOf({ project, isVisible }: Known): OneExperiment[] {
  return [...project.experiments].flatMap(([key, { body }]) => {
    if (!isVisible(body.environment)) return [];
    const href = `/api/v1/projects/${project.key}/experiments/${key}`;
    const of = { kind: "experiment" as const, key, environment: body.environment, href };
    return [{ of, body, looks: project.looks.get(key)?.body.looks ?? [] }];
  });
}

/** Until the last instance had acknowledged it; where one did not, how long it took is not known. */
function rollbackSpan({ of, body: { rollback } }: OneRelease): Spanned {
  if (rollback === undefined) return { of };
  const offAt = offAtMs(rollback);
  if (offAt !== undefined) return { of, ms: offAt - Date.parse(rollback.detectedAt ?? rollback.decidedAt) };
  const { acknowledged, instances } = rollback;
  return { of: { ...of, note: `${acknowledged} of ${instances} instances acknowledged` } };
}

function offAtMs({ instances, decidedAt, publishedAt, ms100 }: Propagation): EpochMs | undefined {
  if (instances === 0) return Date.parse(publishedAt);
  return ms100 === undefined ? undefined : Date.parse(decidedAt) + ms100;
}

/** Every live release and running experiment, and whether it is watched and heard of. */
function covered({ gapOf }: Known, releases: readonly OneRelease[], experiments: readonly OneExperiment[]): Parted[] {
  const live = [
    ...releases.filter(({ body }) => isLive(body.state)),
    ...experiments.filter(({ body }) => body.status === "running"),
  ];
  return live.map(({ of, body }) => {
    const note = gapOf(of.kind === "release" ? "release" : "experiment", of.environment ?? "", of.key);
    const at = body.startedAt === undefined ? {} : { at: body.startedAt };
    return { of: { ...of, ...at, ...(note === undefined ? {} : { note }) }, good: note === undefined ? 1 : 0, all: 1 };
  });
}

/** A release's first result is what its evidence first allowed: leaving the first stage, or going back. */
function releaseInsight({ of, body: { startedAt = "", epochs, rollback } }: OneRelease): Spanned {
  const left = epochs.find(({ stage }) => stage !== epochs[0]?.stage)?.from;
  const result = [left, rollback?.decidedAt].flatMap((at) => (at === undefined ? [] : [Date.parse(at)]));
  return result.length === 0 ? { of: { ...of, note: "no result yet" } } : { of, ms: Math.min(...result) - Date.parse(startedAt) };
}

function experimentInsight(one: OneExperiment): Spanned {
  const { of, body } = one;
  const result = readyAt(one);
  return result === undefined
    ? { of: { ...of, note: "no result yet" } }
    : { of, ms: Date.parse(result) - Date.parse(body.startedAt ?? "") };
}

/** The first look that can be decided on: one that rejects "no effect", or the last one of its plan. */
function readyAt({ looks }: OneExperiment): string | undefined {
  return looks.find(({ rejectedBy, fraction = 0 }) => rejectedBy.length > 0 || fraction >= 1)?.at;
}

function turnaround(one: OneExperiment): Spanned {
  const { of, body } = one;
  const result = Date.parse(readyAt(one) ?? "");
  if (body.decision === undefined) return { of: { ...of, note: "ready, and not decided" } };
  const ms = Date.parse(body.decision.at) - result;
  return ms < 0 ? { of: { ...of, note: "decided before there was a result" } } : { of, ms };
}

/** The last look at what was predicted: the first treatment's effect, as results score it. */
function predicted({ of, body, looks }: OneExperiment): Predicted[] {
  const { prediction, owner = "", treatments } = body;
  if (prediction === undefined) return [];
  const last = looks.findLast(({ metric, treatment }) => metric === prediction.metric && treatment === treatments[0]);
  if (last === undefined) return [];
  const [low, high] = prediction.interval;
  const interval = { low, high, level: prediction.level };
  return [{ of, team: owner, prediction: { mean: prediction.mean, interval }, actual: last.effect }];
}

/** As its log scored them when it was over: every prediction is a case of its own. */
function predictedByRelease(project: ProjectState, { of, body }: OneRelease): Predicted[] {
  const { environment = "", key } = of;
  const filed = project.outcomes.get(outcomesKey({ environment, key }))?.body;
  const known = filed?.endedAt === body.endedAt ? filed?.outcomes : undefined;
  return body.predictions.map(({ metric, mean, interval: [low, high], level }, index): Predicted => {
    const prediction = { mean, interval: { low, high, level } };
    const actual = known?.[index]?.actual;
    const one = { team: body.contacts?.owner ?? "", prediction };
    if (actual?.status === "ok") return { ...one, of: { ...of, note: metric }, actual: actual.value };
    const why = actual === undefined ? "not scored yet" : reasonText(actual.reason);
    return { ...one, of: { ...of, note: `${metric}: ${why}` } };
  });
}

/** Of the exposures that applications made for what ran in the window, those that are stored or still under way. */
function deliveredOf(known: Known, releases: readonly OneRelease[], experiments: readonly OneExperiment[]): Parted[] {
  const { lines, window } = known;
  const accounts = lines.map((line) => ({ line, account: accountOf(line, window.to, SILENT_MS) }));
  const ran = (from: string | undefined, to: string | undefined): boolean =>
    from !== undefined && Date.parse(from) <= window.to && (to === undefined || Date.parse(to) >= window.from);
  const of = (thing: LearningCase, own: readonly InstanceAccount[]): Parted[] => {
    const all = own.reduce((sum, { produced }) => sum + produced, 0);
    const gone = own.reduce((sum, { dropped, lost }) => sum + dropped + lost, 0);
    return all === 0 ? [] : [{ of: thing, good: all - gone, all }];
  };
  const own = (isOwn: (line: LedgerLine) => boolean): InstanceAccount[] =>
    accounts.filter(({ line }) => isOwn(line)).map(({ account }) => account);
  return [
    ...releases
      .filter(({ body }) => ran(body.startedAt, body.endedAt))
      .flatMap(({ of: thing }) =>
        of(
          thing,
          own(({ release, environment }) => release === thing.key && environment === thing.environment),
        ),
      ),
    ...experiments
      .filter(({ body }) => ran(body.startedAt, body.stoppedAt))
      .flatMap(({ of: thing }) =>
        of(
          thing,
          own(({ experiment, environment }) => experiment === thing.key && environment === thing.environment),
        ),
      ),
  ];
}

function debts(state: ProjectState): Debt[] {
  const { key: project, stale } = state;
  return [...stale].flatMap(
    ([
      key,
      {
        body: { reasons },
      },
    ]) => {
      const [first] = reasons;
      if (first === undefined) return [];
      const note = reasons
        .map(({ code, environment }) => (environment === undefined ? code : `${code} in ${environment}`))
        .join(", ");
      const places = placesOf(state, key);
      const of = {
        ...{ kind: "flag" as const, key, href: `/api/v1/projects/${project}/flags/${key}`, at: first.since, note },
        ...(places.length === 0 ? {} : { places }),
      };
      return [{ of, reasons: reasons.map(({ code }) => code) }];
    },
  );
}
