import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addSums, momentsFromSums, noSums, type Sums, unitIncrement } from "./increments.ts";
import {
  combination,
  jointMomentsOf,
  marginal,
  meanPoint,
  mergeJoint,
  mergeMoments,
  momentsOf,
  NO_MOMENTS,
  unitVariance,
} from "./moments.ts";
import { expectClose, value } from "./reference.fixture.ts";

const values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 40 });

describe("moments", () => {
  it("keep their digits at an offset of 1e9, where raw sums give a negative variance", () => {
    expect(unitVariance(momentsOf([1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16]))).toBe(30);
    expect(momentsOf([])).toEqual(NO_MOMENTS);
    expect(unitVariance(momentsOf([5]))).toBeUndefined();
  });

  it("merge in any split to the moments of all values", () => {
    fc.assert(
      fc.property(values, values, (a, b) => {
        const merged = mergeMoments(momentsOf(a), momentsOf(b));
        const whole = momentsOf([...a, ...b]);
        expect(merged.n).toBe(whole.n);
        expectClose(merged.mean, whole.mean, 1e-9, "mean", 1e-6);
        expectClose(merged.m2, whole.m2, 1e-9, "m2", 1e-3);
      }),
    );
  });

  it("do not move with a shift of 1e12", () => {
    const base = [1, 2, 4, 8, 16, 3];
    const shifted = momentsOf(base.map((x) => x + 1e12));
    expectClose(shifted.m2, momentsOf(base).m2, 1e-3);
  });

  it("joint: merge, marginals and weighted sums equal those of raw rows", () => {
    const rows = [
      [1, 2, 0],
      [3, 6, 1],
      [2, 9, 1],
      [7, 1, 0],
    ];
    const merged = mergeJoint(jointMomentsOf(rows.slice(0, 1)), jointMomentsOf(rows.slice(1)));
    const whole = jointMomentsOf(rows);
    merged.cross.flat().forEach((entry, i) => {
      expectClose(entry, whole.cross.flat()[i] ?? 0, 1e-12, "cross", 1e-12);
    });
    expect(mergeJoint(jointMomentsOf([], 3), whole)).toEqual(whole);
    const weights = [2, -0.5, 3];
    const direct = momentsOf(rows.map((row) => row.reduce((sum, x, i) => sum + x * (weights[i] ?? 0), 0)));
    expectClose(combination(whole, weights).m2, direct.m2, 1e-12);
    expectClose(combination(whole, weights).mean, direct.mean, 1e-12);
    expect(marginal(whole, 1)).toEqual(momentsOf(rows.map((row) => row[1] ?? 0)));
  });

  it("answers a point, or says why not", () => {
    expect(meanPoint(momentsOf([1, 2, 3]))).toEqual({ status: "ok", value: 2, variance: 1 / 3 });
    expect(meanPoint(momentsOf([1]))).toEqual({ status: "insufficient", reason: "too-few-units" });
    expect(meanPoint({ n: 3, mean: Number.NaN, m2: 1 })).toEqual({ status: "undefined", reason: "invalid-input" });
  });
});

describe("increments", () => {
  it("a unit's second day adds (t + d)^2 - t^2", () => {
    expect(unitIncrement({ before: [3], added: [2] }, [0]).second).toEqual([[16]]);
    expect(unitIncrement({ added: [5] }, [1])).toEqual({ n: 1, shift: [1], first: [4], second: [[16]] });
  });

  it("added over days in any order equal brute force over units, to a relative 1e-12", () => {
    const day = fc.array(fc.tuple(fc.double({ min: 0, max: 50, noNaN: true }), fc.double({ min: 0, max: 5, noNaN: true })), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(
        fc.array(day, { minLength: 2, maxLength: 25 }),
        fc.double({ min: -10, max: 30, noNaN: true }),
        (units, shift) => {
          const shifts = [shift, 2];
          const cells = units.flatMap((days) => incrementsOf(days, shifts));
          const summed = value(momentsFromSums([...cells].reverse().reduce(addSums, noSums(shifts))));
          const brute = jointMomentsOf(
            units.map((days) => days.reduce<number[]>((total, d) => [(total[0] ?? 0) + d[0], (total[1] ?? 0) + d[1]], [0, 0])),
          );
          expect(summed.n).toBe(units.length);
          const scale = Math.max(1, ...brute.cross.flat().map(Math.abs), units.length * 350 ** 2);
          summed.means.forEach((mean, i) => {
            expectClose(mean, brute.means[i] ?? 0, 1e-12, "mean", 1e-10);
          });
          summed.cross.flat().forEach((entry, i) => {
            expectClose(entry, brute.cross.flat()[i] ?? 0, 1e-12, "cross", 1e-12 * scale);
          });
        },
      ),
    );
  });

  it("brings cells of different shifts together, and refuses nobody", () => {
    const days = [[4], [7], [1]].map((added, i) => unitIncrement(i === 2 ? { before: [4], added } : { added }, [i * 3]));
    const summed = value(momentsFromSums(days.reduce(addSums, noSums([10]))));
    expect(summed.means).toEqual([6]);
    expect(summed.cross).toEqual([[2]]);
    expect(momentsFromSums(noSums([0]))).toEqual({ status: "insufficient", reason: "too-few-units" });
  });
});

function incrementsOf(days: readonly (readonly [number, number])[], shift: readonly number[]): Sums[] {
  let total: number[] | undefined;
  return days.map((added) => {
    const cell = unitIncrement(total === undefined ? { added } : { before: total, added }, shift);
    total = [(total?.[0] ?? 0) + added[0], (total?.[1] ?? 0) + added[1]];
    return cell;
  });
}
