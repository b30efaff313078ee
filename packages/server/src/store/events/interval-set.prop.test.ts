import fc from "fast-check";
import { expect, test } from "vitest";
import { IntervalSet } from "./interval-set.ts";

const value = fc.integer({ min: 1, max: 60 });
const span = fc.tuple(value, value).map(([one, other]) => [Math.min(one, other), Math.max(one, other)] as const);
const step = fc.oneof(
  fc.record({ do: fc.constant("add" as const), value }),
  fc.record({ do: fc.constant("addRun" as const), span }),
  fc.record({ do: fc.constant("removeRun" as const), span }),
);

function each([from, to]: readonly [number, number], visit: (value: number) => void): void {
  for (let value = from; value <= to; value += 1) visit(value);
}

test("whatever is added and removed, in any order, a plain Set says the same", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const oracle = new Set<number>();
      const runs = new IntervalSet();
      for (const one of steps) {
        if (one.do === "add") {
          expect(runs.add(one.value)).toBe(!oracle.has(one.value));
          oracle.add(one.value);
        } else if (one.do === "addRun") {
          runs.addRun(...one.span);
          each(one.span, (member) => oracle.add(member));
        } else {
          runs.removeRun(...one.span);
          each(one.span, (member) => oracle.delete(member));
        }
        for (let member = 0; member <= 62; member += 1) expect(runs.has(member)).toBe(oracle.has(member));
        expect(runs.bounds()).toEqual(runsOf(oracle));
      }
    }),
    { numRuns: 300 },
  );
});

test("10,000 values in order are one run; with every second one missing, the newest 1,000 gaps are remembered", () => {
  const ordered = new IntervalSet();
  for (let value = 1; value <= 10_000; value += 1) expect(ordered.add(value)).toBe(true);
  expect(ordered.bounds()).toEqual([1, 10_000]);

  const gappy = new IntervalSet();
  for (let value = 2; value <= 20_000; value += 2) gappy.add(value);
  expect(gappy.runs).toBe(1_000);
  expect(gappy.has(19_999)).toBe(false);
  expect(gappy.has(3)).toBe(true);
  expect(gappy.bounds().slice(0, 4)).toEqual([2, 18_002, 18_004, 18_004]);
});

/** The runs of a set, found the slow way. */
function runsOf(members: ReadonlySet<number>): number[] {
  const bounds: number[] = [];
  for (const member of [...members].sort((one, other) => one - other)) {
    if (bounds.at(-1) === member - 1) bounds[bounds.length - 1] = member;
    else bounds.push(member, member);
  }
  return bounds;
}
