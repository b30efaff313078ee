import type { ExperimentKey, FrozenMetric, ScreenedInteraction, VariantName } from "@belay/protocol";
import { type FourCells, type InteractionCell, interactionScreen } from "@belay/stats";
import type { ExperimentDocument } from "../state/workspace.ts";
import type { PairCell, PairsRequest } from "../store/events/index.ts";
import { metricQueryOf } from "./question.ts";

/** Experiments two by two: what is asked of the event store, and the screen of its answer. */

export interface RunningExperiment {
  readonly key: ExperimentKey;
  readonly document: Pick<ExperimentDocument, "control" | "treatments">;
}

/** One treatment of an experiment beside one of another: the four cells of both with their controls. */
export interface PairTable {
  readonly experiments: readonly [ExperimentKey, ExperimentKey];
  readonly treatments: readonly [VariantName, VariantName];
  readonly cells: FourCells<InteractionCell>;
}

/** Interactions are told on the additive scale, of what a unit adds up to. */
export function isScreenable({ measure: { kind } }: Pick<FrozenMetric, "measure">): boolean {
  return kind === "proportion" || kind === "count" || kind === "sum";
}

export function pairsRequestOf(
  project: string,
  environment: string,
  experiments: readonly RunningExperiment[],
  metric: Pick<FrozenMetric, "key" | "measure" | "window">,
): PairsRequest {
  const { covariateMs: _, ...query } = metricQueryOf(metric, {});
  return { project, environment, experiments: experiments.map(({ key }) => ({ key, fromMs: 0 })), metric: query };
}

/** The tables of all pairs, in the order of the experiments the cells were asked for. */
export function pairTables(cells: readonly PairCell[], experiments: readonly RunningExperiment[]): readonly PairTable[] {
  const byPair = new Map<string, PairCell[]>();
  for (const cell of cells) {
    const key = cell.experiments.join();
    const known = byPair.get(key);
    if (known === undefined) byPair.set(key, [cell]);
    else known.push(cell);
  }
  return experiments.flatMap((one, i) =>
    experiments.slice(i + 1).flatMap((other, step) => tablesOf(byPair.get(`${i},${i + 1 + step}`) ?? [], one, other)),
  );
}

/** All tables at once, false discoveries held at 5 %; those that could not be tested say why. */
export function screened(tables: readonly PairTable[]): readonly ScreenedInteraction[] {
  const screen = interactionScreen(tables.map(({ cells }, index) => ({ key: String(index), cells })));
  if (screen.status !== "ok") return [];
  const found = new Map(screen.pairs.map((pair) => [pair.key, pair]));
  const skipped = new Map(screen.skipped.map(({ key, reason }) => [key, reason]));
  return tables.map(({ experiments, treatments, cells }, index): ScreenedInteraction => {
    const about = { experiments, treatments, units: cells.cc.n + cells.ct.n + cells.tc.n + cells.tt.n };
    const pair = found.get(String(index));
    if (pair === undefined) {
      const reason = skipped.get(String(index)) ?? "too-few-units";
      return { ...about, effect: { status: reason === "too-few-units" ? "insufficient" : "undefined", reason } };
    }
    const { smallestDetectable, ...effect } = pair.interaction;
    return { ...about, effect, adjustedP: pair.adjustedP, smallestDetectable };
  });
}

function tablesOf(cells: readonly PairCell[], one: RunningExperiment, other: RunningExperiment): readonly PairTable[] {
  const cellOf = (mine: string, theirs: string): InteractionCell => {
    const found = cells.find(({ variants }) => variants[0] === mine && variants[1] === theirs);
    const { n = 0, first = 0, second = 0 } = found ?? {};
    const mean = n === 0 ? 0 : first / n;
    return { n, value: mean, variance: n < 2 ? 0 : Math.max(0, second - n * mean * mean) / (n - 1) / n };
  };
  const [c, d] = [one.document.control, other.document.control];
  return one.document.treatments.flatMap((mine) =>
    other.document.treatments.map((theirs): PairTable => {
      const four = { cc: cellOf(c, d), ct: cellOf(c, theirs), tc: cellOf(mine, d), tt: cellOf(mine, theirs) };
      return { experiments: [one.key, other.key], treatments: [mine, theirs], cells: four };
    }),
  );
}
