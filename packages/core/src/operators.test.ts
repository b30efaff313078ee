import type { EvaluationContext, Json, Operator } from "@belay/protocol";
import { describe, expect, it } from "vitest";
import { Defects } from "./defect.ts";
import { compileTest, matchTest, OPERATORS } from "./operators.ts";
import { OPTIONS, vectors } from "./vectors.fixture.ts";

function holds(op: Operator, value: Json, seen: unknown): boolean {
  const defects = new Defects();
  const test = compileTest({ attribute: "a", op, value }, "when", defects, OPTIONS.regex);
  if (test === undefined) throw new Error(JSON.stringify(defects.list));
  return matchTest(test, { a: seen } as EvaluationContext, true);
}

// What JSON cannot carry or other languages need not hold; everything else is in vectors/operators.json.
describe("operators on what only JavaScript has", () => {
  it.each<[Operator, Json, unknown, boolean]>([
    ["before", "2026-11-22T12:00:00Z", new Date("2026-11-22T11:59:59.999Z"), true],
    ["before", "2026-11-22T12:00:00Z", new Date("2026-11-22T12:00:00Z"), false],
    ["after", "2026-11-22T12:00:00Z", new Date("2026-11-22T12:00:00.001Z"), true],
    ["after", "2026-11-22T12:00:00Z", new Date(Number.NaN), false],
    ["before", "2026-11-22T12:00:00Z", new Date(Number.NaN), false],
    ["exists", true, new Date(0), true],
    ["exists", true, undefined, false],
    ["in", [1, 2, 3, 4, 5, 6], Number.NaN, false],
    ["in", 0, -0, true],
    ["in", [0, 1, 2, 3, 4, 5], -0, true],
    ["in", "x", new String("x"), false],
    ["lt", 5, Number.NEGATIVE_INFINITY, true],
    ["lt", 5, Number.NaN, false],
    ["gte", 5, Number.NaN, false],
    ["gt", 5, 10n, false],
    ["in", "x", Symbol("x"), false],
    ["contains", "x", { includes: () => true }, false],
    ["lt", "\ue000", "\ud800", true],
    ["lt", "\ud800\ue000", "\ud800\udc00", false],
    ["gt", "\uffff", "😀", true],
    ["gt", "😀", "😁", true],
    ["in", "x", new Set(["x"]), false],
    // biome-ignore lint/suspicious/noSparseArray: a hole is what is being asked about.
    ["in", "x", [, "x"], true],
  ])("%s %j of %s is %s", (op, value, seen, expected) => {
    expect(holds(op, value, seen)).toBe(expected);
  });
});

describe("the table of operators", () => {
  it("is covered by the vectors: each operator matches, does not match, and refuses values", () => {
    const cases = vectors("operators.json");
    for (const op of OPERATORS) {
      const own = cases.filter(({ test }) => test.op === op);
      expect(own.length, op).toBeGreaterThanOrEqual(40);
      expect([own.some(({ matches }) => matches === true), own.some(({ matches }) => matches === false)], op).toEqual([
        true,
        true,
      ]);
      expect(own.filter(({ malformed }) => malformed).length, op).toBeGreaterThanOrEqual(3);
      expect(
        own.some(({ context }) => !Object.hasOwn(context, "a")),
        op,
      ).toBe(true);
    }
    expect(OPERATORS).toHaveLength(18);
  });
});
