import type { Advice, ExperimentResults, InteractionResult, Look } from "@belay/protocol";
import { type FourCells, type InteractionCell, interactionScreen, type Point } from "@belay/stats";
import type { ControlPlane } from "../control/control-plane.ts";
import { ProblemError } from "../http/problem.ts";
import { type ArmAccount, accountOf, sumByArm } from "../ledger/domain.ts";
import type { ExperimentDocument, IncidentDocument, LooksDocument, ProjectState } from "../state/workspace.ts";
import type { Aggregate, AggregateRequest, EventStore, PairCell } from "../store/events/index.ts";
import { metricQueryOf, questionsOf, type Span } from "./question.ts";
import { type Facts, type IncidentFacts, looksOf, resultsOf } from "./results.ts";

/** Gathers what results are computed from; all that is asked of the event store goes through here. */
export interface ResultsService {
  readonly results: (of: ExperimentId) => Promise<ExperimentResults>;
  /** What the results say now: the ship rule's answer alone. */
  readonly advice: (of: ExperimentId) => Promise<Advice>;
  /** The looks due now, not yet written down. */
  readonly looks: (of: ExperimentId) => Promise<{ readonly looks: readonly Look[]; readonly srmLogE?: number }>;
}

export interface ExperimentId {
  readonly project: string;
  readonly experiment: string;
}

export interface ResultsOptions {
  readonly control: Pick<ControlPlane, "workspace">;
  readonly events: Pick<EventStore, "aggregate" | "pairs" | "ledger">;
  readonly now: () => number;
}

type Answered = Aggregate & { readonly lagMs: number };

/** As the ledger's own page: an instance not heard for ten minutes has lost what is missing. */
const SILENT_AFTER_MS = 600_000;
const NO_LOOKS: LooksDocument = { looks: [] };

export function createResults({ control, events, now }: ResultsOptions): ResultsService {
  async function factsOf(of: ExperimentId, isWhole: boolean): Promise<Facts> {
    const project = control.workspace.projects.get(of.project);
    const document = project?.experiments.get(of.experiment)?.body;
    if (project === undefined || document === undefined) throw new ProblemError("experiment_not_found", { key: of.experiment });
    if (document.frozen === undefined) {
      throw new ProblemError("wrong_status", { key: of.experiment, current: document.status, needed: "started" });
    }
    const atMs = endOf(document, now());
    const span = { fromMs: 0, ...(document.stoppedAt === undefined ? {} : { untilMs: atMs }) };
    const { lagMs, ...aggregate } = await asked(questionsOf(of, document, { span, asOfMs: atMs }));
    return {
      ...of,
      document,
      looks: project.looks.get(of.experiment)?.body ?? NO_LOOKS,
      atMs,
      lagMs,
      aggregate,
      accounts: await accountsOf(of, document),
      past: pastEffects(project, of.experiment),
      incidents: isWhole ? await incidentsOf(of, project, document, atMs) : [],
      interactions: isWhole ? await interactionsOf(of, project, document) : [],
    };
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
    atMs: number,
  ): Promise<readonly IncidentFacts[]> {
    const found: IncidentFacts[] = [];
    const ask = async (span: Span): Promise<IncidentFacts["during"]> =>
      asked(questionsOf(of, { ...document, segments: [] }, { span, asOfMs: atMs }));
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
      ({ key, measure: { kind } }) =>
        document.metrics.primary.includes(key) && (kind === "proportion" || kind === "count" || kind === "sum"),
    );
    const others = [...state.experiments].filter(
      ([key, { body }]) => key !== experiment && body.status === "running" && body.environment === document.environment,
    );
    if (metric === undefined || document.status !== "running" || others.length === 0) return [];
    const experiments = [experiment, ...others.map(([key]) => key)].map((key) => ({ key, fromMs: 0 }));
    const { covariateMs: _, ...query } = metricQueryOf(metric, {});
    const { cells } = await events.pairs({ project, environment: document.environment, experiments, metric: query });
    const tables = others.flatMap(([key, { body }], index) =>
      tablesOf(cells, document, { key, document: body, index: index + 1 }),
    );
    return screened(tables, metric.key);
  }

  return {
    results: async (of) => resultsOf(await factsOf(of, true)),
    advice: async (of) => {
      const { advice, because } = resultsOf(await factsOf(of, false)).verdict;
      return { advice, because };
    },
    looks: async (of) => looksOf(await factsOf(of, false)),
  };
}

/** The moment results are of: the end of an experiment that has ended. */
function endOf({ stoppedAt }: ExperimentDocument, nowMs: number): number {
  return stoppedAt === undefined ? nowMs : Math.min(nowMs, Date.parse(stoppedAt));
}

/** Last looks of the primary metrics of experiments that are over: every one of them, shipped or not. */
function pastEffects({ experiments, looks }: ProjectState, but: string): readonly Point[] {
  return [...experiments].flatMap(([key, { body }]) => {
    if (key === but || (body.status !== "decided" && body.status !== "stopped")) return [];
    const last = new Map<string, Point>();
    for (const { metric, treatment, effect, variance } of looks.get(key)?.body.looks ?? []) {
      last.set(JSON.stringify([metric, treatment]), { value: effect, variance });
    }
    return [...last.values()];
  });
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

interface Table {
  readonly experiment: string;
  readonly treatments: readonly [own: string, theirs: string];
  readonly cells: FourCells<InteractionCell>;
}

interface Other {
  readonly key: string;
  readonly document: ExperimentDocument;
  readonly index: number;
}

/** Each treatment of this experiment beside each of another: the four cells of both with their controls. */
function tablesOf(cells: readonly PairCell[], own: ExperimentDocument, { key, document, index }: Other): Table[] {
  const between = cells.filter(({ experiments }) => experiments[0] === 0 && experiments[1] === index);
  const cellOf = (mine: string, theirs: string): InteractionCell => {
    const found = between.find(({ variants }) => variants[0] === mine && variants[1] === theirs);
    const { n = 0, first = 0, second = 0 } = found ?? {};
    const mean = n === 0 ? 0 : first / n;
    return { n, value: mean, variance: n < 2 ? 0 : Math.max(0, second - n * mean * mean) / (n - 1) / n };
  };
  return own.treatments.flatMap((mine) =>
    document.treatments.map((theirs): Table => {
      const [c, d] = [own.control, document.control];
      const four = { cc: cellOf(c, d), ct: cellOf(c, theirs), tc: cellOf(mine, d), tt: cellOf(mine, theirs) };
      return { experiment: key, treatments: [mine, theirs], cells: four };
    }),
  );
}

function screened(tables: readonly Table[], metric: string): readonly InteractionResult[] {
  const screen = interactionScreen(tables.map(({ cells }, index) => ({ key: String(index), cells })));
  if (screen.status !== "ok") return [];
  const found = new Map(screen.pairs.map((pair) => [pair.key, pair]));
  const skipped = new Map(screen.skipped.map(({ key, reason }) => [key, reason]));
  return tables.map(({ experiment, treatments, cells }, index): InteractionResult => {
    const units = cells.cc.n + cells.ct.n + cells.tc.n + cells.tt.n;
    const about = { experiment, metric, treatments, units };
    const pair = found.get(String(index));
    if (pair === undefined) {
      const reason = skipped.get(String(index)) ?? "too-few-units";
      return { ...about, effect: { status: reason === "too-few-units" ? "insufficient" : "undefined", reason } };
    }
    const { smallestDetectable, ...effect } = pair.interaction;
    return { ...about, effect, adjustedP: pair.adjustedP, smallestDetectable };
  });
}
