import type { FrozenMetric } from "@belay/protocol";
import { type JointMoments, mergeJoint, momentsFromSums, type RankedSample } from "@belay/stats";
import type { Aggregate, Group, OutcomeCell, QuantileCell } from "../store/events/index.ts";

/** Which cells are meant: everybody, or some values of one segment together; up to and with a day, or all days. */
export interface Slice {
  readonly segment?: { readonly index: number; readonly values: ReadonlySet<string> };
  readonly throughDay?: number;
}

/** What one variant did in one phase. */
export type ArmSums =
  | { readonly kind: "moments"; readonly joint: JointMoments }
  | { readonly kind: "ranks"; readonly units: number; readonly sample: RankedSample; readonly clusters: JointMoments };

/** A metric's sums of one variant by epoch. */
export type ByEpoch = ReadonlyMap<number, ArmSums>;

export const NOBODY: ByEpoch = new Map();

/** The sums of a metric by variant and epoch. A retention counts only units whose window is over. */
export function sumsOf(
  { outcomes, quantiles }: Pick<Aggregate, "outcomes" | "quantiles">,
  { key, measure }: FrozenMetric,
  { segment, throughDay }: Slice = {},
): ReadonlyMap<string, ByEpoch> {
  const isMeant = (cell: Group & { readonly metric: string }): boolean => cell.metric === key && isMeantBy(segment, cell.segment);
  if (measure.kind === "quantile") return ranksOf(quantiles.filter(isMeant));
  const scope = measure.kind === "retention" ? "ripe" : "all";
  const cells = outcomes.filter(
    (cell) => isMeant(cell) && cell.scope === scope && (throughDay === undefined || cell.day <= throughDay),
  );
  return momentsOfCells(cells);
}

function isMeantBy(slice: Slice["segment"], segment: Group["segment"]): boolean {
  if (slice === undefined || segment === undefined) return slice === segment;
  return slice.index === segment.index && slice.values.has(segment.value);
}

interface Summed {
  n: number;
  first: number[];
  second: number[];
}

function momentsOfCells(cells: readonly OutcomeCell[]): ReadonlyMap<string, ByEpoch> {
  const sums = new Map<string, Map<number, Summed>>();
  for (const { variant, epoch, n, first, second } of cells) {
    const epochs = sums.get(variant) ?? new Map<number, Summed>();
    sums.set(variant, epochs);
    const sum = epochs.get(epoch) ?? { n: 0, first: first.map(() => 0), second: second.map(() => 0) };
    epochs.set(epoch, sum);
    sum.n += n;
    addInto(sum.first, first);
    addInto(sum.second, second);
  }
  return mapped(sums, (epochs) => new Map([...epochs].flatMap(([epoch, sum]) => momentsEntry(epoch, sum))));
}

function addInto(sums: number[], added: readonly number[]): void {
  added.forEach((value, index) => {
    sums[index] = (sums[index] ?? 0) + value;
  });
}

function momentsEntry(epoch: number, { n, first, second }: Summed): readonly (readonly [number, ArmSums])[] {
  const shift = first.map(() => 0);
  const joint = momentsFromSums({ n, shift, first, second: squareOf(second, first.length) });
  if (joint.status !== "ok") return [];
  const { means, cross } = joint;
  return [[epoch, { kind: "moments", joint: { n, means, cross } }]];
}

/** The symmetric matrix of an upper triangle by rows. */
function squareOf(triangle: readonly number[], width: number): number[][] {
  const at = (i: number, j: number): number => {
    const [row, column] = i <= j ? [i, j] : [j, i];
    return triangle[row * width - (row * (row - 1)) / 2 + column - row] ?? 0;
  };
  return Array.from({ length: width }, (_, i) => Array.from({ length: width }, (__, j) => at(i, j)));
}

function ranksOf(cells: readonly QuantileCell[]): ReadonlyMap<string, ByEpoch> {
  const arms = new Map<string, Map<number, ArmSums>>();
  for (const { variant, epoch, n, first, second, values } of joinedRanks(cells)) {
    const [belowBelow = 0, belowEvents = 0, eventsEvents = 0] = second;
    const clusters = momentsFromSums({
      n,
      shift: [0, 0],
      first,
      second: [
        [belowBelow, belowEvents],
        [belowEvents, eventsEvents],
      ],
    });
    if (clusters.status !== "ok") continue;
    const epochs = arms.get(variant) ?? new Map<number, ArmSums>();
    arms.set(variant, epochs);
    const { means, cross } = clusters;
    epochs.set(epoch, { kind: "ranks", units: n, sample: sampleOf(values), clusters: { n, means, cross } });
  }
  return arms;
}

/** Cells of one variant and epoch as one; they are of different units. */
function joinedRanks(cells: readonly QuantileCell[]): readonly JoinedRanks[] {
  const joined = new Map<string, JoinedRanks>();
  for (const { variant, epoch, n, first, second, values } of cells) {
    const key = JSON.stringify([variant, epoch]);
    const known = joined.get(key);
    if (known === undefined) {
      joined.set(key, { variant, epoch, n, first: [...first], second: [...second], values });
      continue;
    }
    addInto(known.first, first);
    addInto(known.second, second);
    joined.set(key, {
      ...known,
      n: known.n + n,
      values: [...known.values, ...values].sort((a, b) => a.value - b.value),
    });
  }
  return [...joined.values()];
}

interface JoinedRanks extends Pick<QuantileCell, "variant" | "epoch" | "n" | "values"> {
  readonly first: number[];
  readonly second: number[];
}

/** Ranks over classes of values: found by the number of values up to and with each class. */
function sampleOf(values: QuantileCell["values"]): RankedSample {
  let n = 0;
  const through = values.map(({ count }) => {
    n += count;
    return n;
  });
  return {
    n,
    at: (rank) => {
      let [low, high] = [0, values.length - 1];
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((through[middle] ?? 0) < rank) low = middle + 1;
        else high = middle;
      }
      return values[low]?.value ?? 0;
    },
  };
}

/** All phases together: for showing an arm, never for comparing arms. */
export function pooled(epochs: ByEpoch): JointMoments | undefined {
  let all: JointMoments | undefined;
  for (const sums of epochs.values()) {
    if (sums.kind === "moments") all = all === undefined ? sums.joint : mergeJoint(all, sums.joint);
  }
  return all;
}

function mapped<A, B>(map: ReadonlyMap<string, A>, view: (value: A) => B): ReadonlyMap<string, B> {
  return new Map([...map].map(([key, value]) => [key, view(value)]));
}
