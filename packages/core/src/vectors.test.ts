import { describe, expect, it } from "vitest";
import { vectorFiles } from "../../../vectors/generate.mjs";
import { unitText } from "./attribute.ts";
import { explain } from "./explain.ts";
import { murmur3 } from "./murmur3.ts";
import { pointOf } from "./placement.fixture.ts";
import { compile } from "./ruleset.ts";
import { answer, flagAsking, OPTIONS, snapshotOf, VECTOR_FILES, vectors, vectorText } from "./vectors.fixture.ts";

describe("the vectors", () => {
  it("are what the generator writes, byte for byte", () => {
    const made = vectorFiles();
    expect(Object.keys(made)).toEqual(VECTOR_FILES);
    for (const name of VECTOR_FILES) expect(made[name] === vectorText(name), name).toBe(true);
  });

  it("hold the promised number of cases", () => {
    const { cases } = vectors("evaluations.json");
    const counts = [...VECTOR_FILES.slice(0, 3).map((name) => (vectors(name) as readonly unknown[]).length), cases.length];
    expect(counts.every((count) => count >= 500)).toBe(true);
    expect(counts.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(2_500);
  });

  it("reach every reason and error code that deciding can give", () => {
    const { cases } = vectors("evaluations.json");
    expect([...new Set(cases.map(({ result }) => result.reason))].sort()).toEqual([
      "DEFAULT",
      "DISABLED",
      "ERROR",
      "SPLIT",
      "STATIC",
      "TARGETING_MATCH",
    ]);
    expect([...new Set(cases.flatMap(({ result }) => result.errorCode ?? []))].sort()).toEqual([
      "FLAG_NOT_FOUND",
      "PARSE_ERROR",
      "TARGETING_KEY_MISSING",
    ]);
  });
});

// Differences are collected, so that a failure names the cases and not only the first.
describe("core replays", () => {
  it("hashes", () => {
    const wrong = vectors("hash.json").filter(({ text, seed, hash }) => murmur3(text, seed) !== hash);
    expect(wrong).toEqual([]);
  });

  it("points", () => {
    const wrong = vectors("point.json").filter(({ salt, unit, text, point }) => {
      const own = unitText(unit);
      return own !== text || (own !== undefined && pointOf(salt, own) !== point);
    });
    expect(wrong).toEqual([]);
  });

  it("operators", () => {
    const wrong = vectors("operators.json").filter(({ test, context, matches, malformed }) => {
      const outcome = compile(snapshotOf({ flags: { flag: flagAsking(test) } }), OPTIONS).decide("flag", context);
      return malformed ? outcome.errorCode !== "PARSE_ERROR" : outcome.value !== matches;
    });
    expect(wrong).toEqual([]);
  });

  const { snapshots, cases } = vectors("evaluations.json");

  it.each(Object.entries(snapshots))("evaluations: %s", (scenario, snapshot) => {
    const ruleset = compile(snapshot, OPTIONS);
    const asked = cases.filter((one) => one.scenario === scenario);
    const wrong = asked
      .map((one) => ({ ...one, answered: answer(ruleset, one.flag, one.context) }))
      .filter(({ result, answered }) => !isSame(result, answered));
    expect(wrong).toEqual([]);
    expect(asked.length).toBeGreaterThan(10);
  });

  it.each(Object.entries(snapshots))("explanations that agree with the decision: %s", (scenario, snapshot) => {
    const ruleset = compile(snapshot, OPTIONS);
    const asked = cases.filter((one) => one.scenario === scenario);
    const wrong = asked.filter(({ flag, context, result }) => {
      const { tracks: _, ...expected } = result;
      const told = explain(ruleset, flag, context);
      return !isSame(told.result, expected) || told.lines.length < 2 || told.steps.length === 0;
    });
    expect(wrong).toEqual([]);
  });
});

/** Same fields with the same values, whatever their order. */
function isSame(a: object, b: object): boolean {
  const sorted = (value: object): string =>
    JSON.stringify(Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)));
  return sorted(a) === sorted(b);
}
