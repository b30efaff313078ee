import type {
  Advice,
  ExperimentResults,
  InteractionResult,
  InteractionScreenReport,
  Look,
  ResultsPopulation,
} from "@belay/protocol";
import type { ControlPlane } from "../control/control-plane.ts";
import { alertRouteReport, carrierOf } from "../experiments/alert-route.ts";
import { ProblemError } from "../http/problem.ts";
import { type ArmAccount, accountOf, sumByArm } from "../ledger/domain.ts";
import type { ExperimentDocument, IncidentDocument, LooksDocument, ProjectState } from "../state/workspace.ts";
import type { DeliveryStore } from "../store/deliveries/index.ts";
import type { Aggregate, AggregateRequest, EventStore } from "../store/events/index.ts";
import type { Facts, IncidentFacts } from "./facts.ts";
import { isScreenable, pairsRequestOf, pairTables, screened } from "./interactions.ts";
import { pastEffects } from "./prior.ts";
import { questionsOf, type Span } from "./question.ts";
import { looksOf, type QualityNow, qualityNow, resultsOf } from "./results.ts";

/** Gathers what results are computed from; all that is asked of the event store goes through here. */
export interface ResultsService {
  readonly results: (of: ExperimentId, population?: ResultsPopulation) => Promise<ExperimentResults>;
  /** What the results say now: the ship rule's answer alone. */
  readonly advice: (of: ExperimentId) => Promise<Advice>;
  /** The looks due now, not yet written down. */
  readonly looks: (of: ExperimentId) => Promise<{ readonly looks: readonly Look[]; readonly srmLogE?: number }>;
  /** Whether the data can be trusted now. */
  readonly quality: (of: ExperimentId) => Promise<QualityNow>;
  /** All pairs of experiments that run in an environment, screened by one metric as it is defined now. */
  readonly interactions: (of: ScreenId) => Promise<InteractionScreenReport>;
}

export interface ScreenId {
  readonly project: string;
  readonly environment: string;
  readonly metric: string;
}

export interface ExperimentId {
  readonly project: string;
  readonly experiment: string;
}

export interface ResultsOptions {
  readonly control: Pick<ControlPlane, "workspace">;
  readonly events: Pick<EventStore, "aggregate" | "pairs" | "ledger">;
  readonly now: () => number;
  /** What became of what was sent to webhooks; absent: nothing is known of it. */
  readonly deliveries?: Pick<DeliveryStore, "list">;
}

type Answered = Aggregate & { readonly lagMs: number };

/** As the ledger's own page: an instance not heard for ten minutes has lost what is missing. */
const SILENT_AFTER_MS = 600_000;
const NO_LOOKS: LooksDocument = { looks: [] };

export function createResults({ control, events, now, deliveries }: ResultsOptions): ResultsService {
  async function factsOf(of: ExperimentId, isWhole: boolean, population: ResultsPopulation = "exposed"): Promise<Facts> {
    const project = control.workspace.projects.get(of.project);
    const document = project?.experiments.get(of.experiment)?.body;
    if (project === undefined || document === undefined) throw new ProblemError("experiment_not_found", { key: of.experiment });
    if (document.frozen === undefined) {
      throw new ProblemError("wrong_status", { key: of.experiment, current: document.status, needed: "started" });
    }
    const atMs = endOf(document, now());
    const span = { fromMs: 0, ...(document.stoppedAt === undefined ? {} : { untilMs: atMs }) };
    const { lagMs, ...aggregate } = await asked(questionsOf(of, document, { span, asOfMs: atMs, population }));
    return {
      ...of,
      document,
      population,
      // The ledger is of everybody: its bounds are no bounds of a part.
      looks: (population === "exposed" ? project.looks.get(of.experiment)?.body : undefined) ?? NO_LOOKS,
      atMs,
      lagMs,
      aggregate,
      accounts: await accountsOf(of, document),
      past: pastEffects(project, of.experiment),
      incidents: isWhole ? await incidentsOf(of, project, document, { atMs, population }) : [],
      interactions: isWhole && population === "exposed" ? await interactionsOf(of, project, document) : [],
      ...(isWhole ? await alertRouteOf(of, project, document) : {}),
    };
  }

  async function alertRouteOf(
    { project: key }: ExperimentId,
    project: ProjectState,
    { alertRoute: route, environment }: ExperimentDocument,
  ): Promise<Pick<Facts, "alertRoute">> {
    if (route === undefined) return {};
    const webhook = carrierOf(project, { route, environment });
    const last = webhook === undefined ? undefined : await deliveries?.list({ project: key, webhook }, { limit: 1 });
    return { alertRoute: alertRouteReport(project, { route, environment }, last?.[0]?.status) };
  }

  /** The answers to several questions about the same units as one. */
  async function asked(questions: readonly AggregateRequest[]): Promise<Answered> {
    const answers: Answered[] = [];
    for (const question of questions) answers.push(await events.aggregate(question));
    return {
      arms: answers[0]?.arms ?? [],
      outcomes: answers.flatMap(({ outcomes }) => outcomes),
      quantiles: answers.flatMap(({ quantiles }) => quantiles),
      lagMs: Math.max(0, ...answers.map(({ lagMs }) => lagMs)),
    };
  }

  async function accountsOf({ project, experiment }: ExperimentId, document: ExperimentDocument): Promise<readonly ArmAccount[]> {
    const lines = await events.ledger({ project, environments: [document.environment], experiment });
    const reported = lines.filter(({ produced }) => produced > 0);
    return sumByArm(reported.map((line) => accountOf(line, now(), SILENT_AFTER_MS)));
  }

  /** The same question for the units of before, in and after each incident. */
  async function incidentsOf(
    of: ExperimentId,
    project: ProjectState,
    document: ExperimentDocument,
    { atMs, population }: { readonly atMs: number; readonly population: ResultsPopulation },
  ): Promise<readonly IncidentFacts[]> {
    const found: IncidentFacts[] = [];
    const ask = async (span: Span): Promise<IncidentFacts["during"]> =>
      asked(questionsOf(of, { ...document, segments: [] }, { span, asOfMs: atMs, population }));
    for (const [key, { body }] of incidentsWithin(project, document, atMs)) {
      const { before, during, after } = spansOf(body, document.stoppedAt === undefined ? undefined : atMs);
      const others = [await ask(before), ...(after === undefined ? [] : [await ask(after)])];
      found.push({ key, reason: body.reason, during: await ask(during), others });
    }
    return found;
  }

  async function interactionsOf(
    { project, experiment }: ExperimentId,
    state: ProjectState,
    document: ExperimentDocument,
  ): Promise<readonly InteractionResult[]> {
    const metric = (document.frozen?.metrics ?? []).find(
      (one) => document.metrics.primary.includes(one.key) && isScreenable(one),
    );
    const others = [...state.experiments].filter(
      ([key, { body }]) => key !== experiment && body.status === "running" && body.environment === document.environment,
    );
    if (metric === undefined || document.status !== "running" || others.length === 0) return [];
    const running = [{ key: experiment, document }, ...others.map(([key, { body }]) => ({ key, document: body }))];
    const { cells } = await events.pairs(pairsRequestOf(project, document.environment, running, metric));
    const own = pairTables(cells, running).filter(({ experiments }) => experiments[0] === experiment);
    return screened(own).map(({ experiments: [, other], ...found }) => ({ experiment: other, metric: metric.key, ...found }));
  }

  async function interactions({ project, environment, metric }: ScreenId): Promise<InteractionScreenReport> {
    const state = control.workspace.projects.get(project);
    const measured = state?.metrics.get(metric)?.body;
    if (state === undefined || measured === undefined) throw new ProblemError("metric_not_found", { key: metric });
    if (!state.environments.has(environment)) {
      throw new ProblemError("environment_not_found", { key: environment, allowed: [...state.environments.keys()] });
    }
    if (!isScreenable(measured)) {
      const reason = "pairs are screened by a proportion, a count or a sum";
      throw new ProblemError("invalid_field", { field: "metric", received: metric, reason });
    }
    const running = [...state.experiments]
      .filter(([, { body }]) => body.status === "running" && body.environment === environment)
      .map(([key, { body }]) => ({ key, document: body }));
    const { cells, lagMs } = await events.pairs(pairsRequestOf(project, environment, running, { key: metric, ...measured }));
    return {
      ...{ environment, metric, at: new Date(now()).toISOString(), lagMs },
      experiments: running.map(({ key }) => key),
      pairs: screened(pairTables(cells, running)),
    };
  }

  return {
    results: async (of, population) => resultsOf(await factsOf(of, true, population)),
    advice: async (of) => {
      const { advice, because } = resultsOf(await factsOf(of, false)).verdict;
      return { advice, because };
    },
    looks: async (of) => looksOf(await factsOf(of, false)),
    quality: async (of) => qualityNow(await factsOf(of, false)),
    interactions,
  };
}

/** The moment results are of: the end of an experiment that has ended. */
function endOf({ stoppedAt }: ExperimentDocument, nowMs: number): number {
  return stoppedAt === undefined ? nowMs : Math.min(nowMs, Date.parse(stoppedAt));
}

function incidentsWithin(
  { incidents }: ProjectState,
  { environment, startedAt = "" }: ExperimentDocument,
  atMs: number,
): readonly (readonly [string, { readonly body: IncidentDocument }])[] {
  return [...incidents].filter(([, { body }]) => {
    const isThere = body.environment === undefined || body.environment === environment;
    const isOver = body.to !== undefined && Date.parse(body.to) <= Date.parse(startedAt);
    return isThere && !isOver && Date.parse(body.from) < atMs;
  });
}

/**
 * The spans around an incident, none of which ends at a moment that moves: the event store keeps what it added up for each span it
 * was ever asked about.
 */
function spansOf(
  { from, to }: IncidentDocument,
  endMs: number | undefined,
): { readonly before: Span; readonly during: Span; readonly after?: Span } {
  const fromMs = Date.parse(from);
  const toMs = to === undefined ? undefined : Date.parse(to);
  const until = (ms: number | undefined): { readonly untilMs?: number } => (ms === undefined ? {} : { untilMs: ms });
  const before = { fromMs: 0, untilMs: fromMs };
  if (toMs === undefined || (endMs !== undefined && toMs >= endMs)) return { before, during: { fromMs, ...until(endMs) } };
  return { before, during: { fromMs, untilMs: toMs }, after: { fromMs: toMs, ...until(endMs) } };
}
