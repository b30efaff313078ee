/**
 * Sums that add up over days to exact moments per unit. A unit's square is not additive over days, but its increment is: with running
 * total t before the day and d on it, (t + d)^2 - t^2 = d (d + 2 t), and likewise for products. So one statement of SQL can write a row
 * per (experiment, variant, epoch, segment, day), and any prefix of days is the plain sum of its rows.
 *
 *   day 1   n += 1, first += d - shift, second += (d - shift)^2      the unit's first row brings it in
 *   day k   n += 0, first += d,         second += d (d + 2 (t - shift))
 *
 * The shift (a rough mean, fixed per metric when it is created) keeps the sums small, so that the variance keeps its digits.
 */
import type { JointMoments } from "./moments.ts";
import { ok, type Result, refuse } from "./result.ts";

/** Additive sums of several variables of the same units, around a fixed shift per variable. */
export interface Sums {
  readonly n: number;
  readonly shift: readonly number[];
  /** Sum over units of (value - shift). */
  readonly first: readonly number[];
  /** Sum over units of (value i - shift i)(value j - shift j), a symmetric matrix by rows. */
  readonly second: readonly (readonly number[])[];
}

/** What one unit did in one stretch of time: its running totals before, and what was added. */
export interface UnitChange {
  /** Absent when the unit is new in this cell: it then counts into n. */
  readonly before?: readonly number[];
  readonly added: readonly number[];
}

/**
 * Sums of nobody.
 * @example noSums([10]).first // 0
 */
export function noSums(shift: readonly number[]): Sums {
  return { n: 0, shift, first: shift.map(() => 0), second: shift.map(() => shift.map(() => 0)) };
}

/**
 * The increment that one unit's change adds to its cell.
 * @example unitIncrement({ before: [3], added: [2] }, [0]).second // 16
 */
export function unitIncrement({ before, added }: UnitChange, shift: readonly number[]): Sums {
  const start = shift.map((s, i) => (before === undefined ? 0 : (before[i] ?? 0) - s));
  const change = shift.map((s, i) => (added[i] ?? 0) - (before === undefined ? s : 0));
  return {
    n: before === undefined ? 1 : 0,
    shift,
    first: change,
    second: change.map((di, i) => change.map((dj, j) => di * dj + di * (start[j] ?? 0) + dj * (start[i] ?? 0))),
  };
}

/**
 * Two cells together, around the shift of the first. Cells of different shifts add up exactly too: a square around another shift
 * is linear in the sums, also for a cell that only holds increments.
 * @example addSums(unitIncrement({ added: [3] }, [0]), unitIncrement({ before: [3], added: [2] }, [0])).second // 25
 */
export function addSums(a: Sums, b: Sums): Sums {
  const moved = aroundShift(b, a.shift);
  return {
    n: a.n + b.n,
    shift: a.shift,
    first: a.first.map((value, i) => value + (moved.first[i] ?? 0)),
    second: a.second.map((row, i) => row.map((value, j) => value + (moved.second[i]?.[j] ?? 0))),
  };
}

/**
 * The joint moments of the units in these sums. `insufficient` without a unit.
 * @example momentsFromSums({ n: 2, shift: [0], first: [4], second: [[10]] }) // means 2, cross 2
 */
export function momentsFromSums({ n, shift, first, second }: Sums): Result<JointMoments> {
  if (!(n > 0)) return refuse("too-few-units");
  if (!shift.every(Number.isFinite)) return refuse("invalid-input");
  const means = first.map((sum, i) => (shift[i] ?? 0) + sum / n);
  const cross = second.map((row, i) =>
    row.map((sum, j) => {
      const centred = sum - ((first[i] ?? 0) * (first[j] ?? 0)) / n;
      return i === j ? Math.max(0, centred) : centred;
    }),
  );
  return ok({ n, means, cross });
}

function aroundShift(sums: Sums, shift: readonly number[]): Sums {
  const gaps = shift.map((s, i) => (sums.shift[i] ?? 0) - s);
  if (gaps.every((gap) => gap === 0)) return sums;
  const { n, first, second } = sums;
  return {
    n,
    shift,
    first: first.map((value, i) => value + n * (gaps[i] ?? 0)),
    second: second.map((row, i) =>
      row.map((value, j) => {
        const [gi, gj] = [gaps[i] ?? 0, gaps[j] ?? 0];
        return value + gi * (first[j] ?? 0) + gj * (first[i] ?? 0) + n * gi * gj;
      }),
    ),
  };
}
