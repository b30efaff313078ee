import type { Condition, Rule, Snapshot, SnapshotChange, SnapshotFlag } from "@belay/protocol";
import { describe, expect, it } from "vitest";
import { FIRST_MALFORMED } from "./decide.ts";
import { compile } from "./ruleset.ts";
import { snapshotOf } from "./vectors.fixture.ts";

const on: SnapshotFlag = {
  type: "boolean",
  variants: { on: true, off: false },
  enabled: true,
  off: "off",
  rules: [],
  fallthrough: { variant: "on" },
};
const dark: SnapshotFlag = { ...on, enabled: false };
const needs = (flag: string): SnapshotFlag => ({ ...on, prerequisites: [{ flag, variants: ["on"] }] });
const within = (segment: string): SnapshotFlag => ({
  ...on,
  rules: [{ id: "r", when: { segment }, serve: { variant: "on" } }],
  fallthrough: { variant: "off" },
});
const layered: SnapshotFlag = {
  ...on,
  rules: [{ id: "r", serve: { split: [{ variant: "on", draws: [{ space: "layer/x", in: [[0, 500_000]] }] }] } }],
  fallthrough: { variant: "off" },
};
const german: Condition = { attribute: "country", op: "in", value: "DE" };
const change = (content: Partial<Omit<SnapshotChange, "format">>): SnapshotChange => ({
  ...{ format: 1, project: "p", environment: "e", from: 1, revision: 2, spaces: {}, segments: {}, flags: {} },
  ...content,
});

describe("apply", () => {
  it("takes new, changed and removed flags, and names them", () => {
    const ruleset = compile(snapshotOf({ flags: { stays: on, changes: on, goes: on } }));
    expect(ruleset.apply(change({ flags: { changes: dark, goes: null, comes: on, never: null } }))).toEqual([
      "changes",
      "goes",
      "comes",
      "never",
    ]);
    expect(["stays", "changes", "comes"].map((key) => ruleset.decide(key, {}).value)).toEqual([true, false, true]);
    expect(ruleset.decide("goes", {}).errorCode).toBe("FLAG_NOT_FOUND");
    expect([ruleset.revision, ruleset.size, [...ruleset.keys()].sort()]).toEqual([2, 3, ["changes", "comes", "stays"]]);
  });

  it.each<[string, Partial<SnapshotChange>]>([
    ["another revision", { from: 2, revision: 3 }],
    ["no rise", { from: 1, revision: 1 }],
    ["a fall", { from: 1, revision: 0 }],
    ["another project", { project: "q" }],
    ["another environment", { environment: "f" }],
  ])("refuses a change that does not start here and leaves everything: %s", (_, more) => {
    const ruleset = compile(snapshotOf({ flags: { flag: on } }));
    expect(ruleset.apply(change({ flags: { flag: dark, other: on }, ...more }))).toBe(undefined);
    expect([ruleset.revision, ruleset.decide("flag", {}).value, ruleset.has("other")]).toEqual([1, true, false]);
  });

  it("names dependents of flags, segments and spaces, through each other", () => {
    const content: Partial<Snapshot> = {
      flags: { base: on, needs: needs("base"), "needs-needs": needs("needs"), german: within("nested"), layered, apart: on },
      segments: { german, nested: { all: [{ segment: "german" }] } },
      spaces: { "layer/x": { salt: "l4y3rx00" } },
    };
    const affected = (more: Partial<SnapshotChange>): readonly string[] | undefined =>
      compile(snapshotOf(content)).apply(change(more))?.toSorted();
    expect(affected({ flags: { base: dark } })).toEqual(["base", "needs", "needs-needs"]);
    expect(affected({ segments: { german: { any: [] } } })).toEqual(["german"]);
    expect(affected({ spaces: { "layer/x": { salt: "an0ther0" } } })).toEqual(["layered"]);
    expect(affected({ flags: { apart: dark } })).toEqual(["apart"]);
    expect(affected({})).toEqual([]);
  });

  it("breaks and mends flags as what they name goes and comes", () => {
    const ruleset = compile(
      snapshotOf({
        flags: { base: on, needs: needs("base"), german: within("german"), layered },
        segments: { german },
        spaces: { "layer/x": { salt: "s" } },
      }),
    );
    const asked = ["needs", "german", "layered"];
    const codes = (): unknown[] => asked.map((key) => ruleset.decide(key, { targetingKey: "user-1", country: "DE" }).errorCode);
    expect(codes()).toEqual([undefined, undefined, undefined]);
    const gone = change({ flags: { base: null }, segments: { german: null }, spaces: { "layer/x": null } });
    expect(ruleset.apply(gone)?.toSorted()).toEqual(["base", "german", "layered", "needs"]);
    expect(codes()).toEqual(["PARSE_ERROR", "PARSE_ERROR", "PARSE_ERROR"]);
    expect(ruleset.defects().map(({ flag, code }) => [flag, code])).toEqual([
      ["needs", "unknown_flag"],
      ["german", "unknown_segment"],
      ["layered", "unknown_space"],
    ]);
    ruleset.apply(
      change({ from: 2, revision: 3, flags: { base: on }, segments: { german }, spaces: { "layer/x": { salt: "s" } } }),
    );
    expect([codes(), ruleset.defects()]).toEqual([[undefined, undefined, undefined], []]);
  });

  it("breaks a cycle that a change closes, and opens it again", () => {
    const ruleset = compile(snapshotOf({ flags: { a: needs("b"), b: on } }));
    ruleset.apply(change({ flags: { b: needs("a") } }));
    expect(["a", "b"].map((key) => ruleset.decide(key, {}).errorCode)).toEqual(["PARSE_ERROR", "PARSE_ERROR"]);
    ruleset.apply(change({ from: 2, revision: 3, flags: { b: on } }));
    expect(["a", "b"].map((key) => ruleset.decide(key, {}).value)).toEqual([true, true]);
  });

  it("isolates a malformed flag of a change, and takes a mended one", () => {
    const ruleset = compile(snapshotOf({ flags: { flag: on, neighbour: on } }));
    ruleset.apply(change({ flags: { flag: { type: "boolean" } as never } }));
    expect([ruleset.decide("flag", {}).errorCode, ruleset.defects().length, ruleset.decide("neighbour", {}).value]).toEqual([
      "PARSE_ERROR",
      1,
      true,
    ]);
    ruleset.apply(change({ from: 2, revision: 3, flags: { flag: dark } }));
    expect([ruleset.decide("flag", {}).value, ruleset.defects()]).toEqual([false, []]);
  });
});

describe("takeCounts", () => {
  it("counts evaluations by flag and variant, and starts again", () => {
    const ruleset = compile(snapshotOf({ flags: { on, dark, german: within("german") }, segments: { german } }));
    for (let i = 0; i < 3; i++) ruleset.decide("on", {});
    ruleset.decide("german", { country: "DE" });
    ruleset.decide("german", {});
    ruleset.decide("missing", {});
    ruleset.peek("dark", {});
    expect(ruleset.takeCounts()).toEqual([
      { flag: "on", variant: "on", count: 3 },
      { flag: "german", variant: "on", count: 1 },
      { flag: "german", variant: "off", count: 1 },
      { flag: "missing", count: 1 },
    ]);
    expect(ruleset.takeCounts()).toEqual([]);
  });

  it("carries the counts of flags that a change replaces, removes or adds", () => {
    const ruleset = compile(snapshotOf({ flags: { replaced: on, removed: on, stays: on } }));
    for (const key of ["replaced", "removed", "added", "stays", "added"]) ruleset.decide(key, {});
    ruleset.apply(
      change({ flags: { replaced: { ...on, variants: { off: false, other: true, on: true } }, removed: null, added: on } }),
    );
    for (const key of ["replaced", "replaced", "removed", "added", "stays"]) ruleset.decide(key, {});
    const counts = new Map(ruleset.takeCounts().map(({ flag, variant, count }) => [`${flag} ${variant}`, count]));
    expect(Object.fromEntries(counts)).toEqual({
      "replaced on": 3,
      "removed on": 1,
      "removed undefined": 1,
      "added undefined": 2,
      "added on": 1,
      "stays on": 2,
    });
  });

  it("keeps 20,000 flags and 10,000 changes apart", () => {
    const flags = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`flag-${i}`, on]));
    const ruleset = compile(snapshotOf({ flags }));
    for (const key of ruleset.keys()) ruleset.decide(key, {});
    let revision = 1;
    for (let i = 0; i < 10_000; i++) {
      const wider = { ...on, variants: { on: true, off: false, [`v${i % 3}`]: true } };
      ruleset.apply(change({ from: revision, revision: ++revision, flags: { [`flag-${i % 7}`]: i % 2 === 0 ? wider : on } }));
      ruleset.decide(`flag-${i % 7}`, {});
    }
    const counts = ruleset.takeCounts();
    expect(counts).toHaveLength(20_000);
    expect(counts.reduce((sum, { count }) => sum + count, 0)).toBe(30_000);
  });
});

describe("unknown keys", () => {
  it("are remembered up to 1,000, and cost nothing beyond", () => {
    const ruleset = compile(snapshotOf({ flags: { on } }));
    for (let i = 0; i < 5_000; i++) expect(ruleset.decide(`missing-${i}`, {}).errorCode).toBe("FLAG_NOT_FOUND");
    expect([ruleset.size, [...ruleset.keys()], ruleset.has("missing-1"), ruleset.takeCounts().length]).toEqual([
      1,
      ["on"],
      false,
      1_000,
    ]);
  });

  it("become flags when a change brings them", () => {
    const ruleset = compile(snapshotOf({}));
    ruleset.decide("flag", {});
    ruleset.apply(change({ flags: { flag: on } }));
    expect([ruleset.decide("flag", {}).value, ruleset.size]).toEqual([true, 1]);
  });
});

describe("what is shared between flags", () => {
  it("is the program of flags that differ in salts alone, and only theirs", () => {
    const split = (salt: string): SnapshotFlag => ({ ...layered, spaces: { "layer/x": { salt } } });
    const ruleset = compile(snapshotOf({ flags: { a: split("a"), b: split("b"), c: { ...split("c"), off: "on" } } }));
    const [a, b, c] = ["a", "b", "c"].map((key) => ruleset.find(key)?.program);
    expect([a === b, a === c]).toEqual([true, false]);
    const people = Array.from({ length: 1_000 }, (_, i) => ({ targetingKey: `user-${i}` }));
    const apart = people.filter((person) => ruleset.decide("a", person).value !== ruleset.decide("b", person).value).length;
    expect(apart).toBeGreaterThan(400);
    expect(apart).toBeLessThan(600);
  });

  it("does not take a malformed twin along", () => {
    const flag = { ...layered, spaces: { "layer/x": { salt: "well" } } };
    const twin = { ...layered, spaces: [["layer/x", { salt: "string" }]] as never };
    const ruleset = compile(snapshotOf({ flags: { flag, twin } }));
    expect(ruleset.defects().map(({ flag: key }) => key)).toEqual(["twin"]);
  });
});

describe("a flag of several rules", () => {
  const inCountry = (country: string): Rule => ({
    id: country,
    when: { attribute: "country", op: "in", value: country },
    serve: { variant: "on" },
  });
  const ruled: SnapshotFlag = { ...on, rules: [inCountry("DE"), inCountry("AT")], fallthrough: { variant: "off" } };
  const broken: SnapshotFlag = { ...ruled, rules: [inCountry("DE"), { id: "bad", serve: { variant: "gone" } }] };
  const people = ["DE", "AT", "CH"].map((country) => ({ country }));

  it("is there before it is compiled: found, listed, decided, counted and explained like any other", () => {
    const ruleset = compile(snapshotOf({ flags: { first: ruled, plain: on, last: ruled } }));
    expect([ruleset.size, ruleset.has("last"), [...ruleset.keys()].sort()]).toEqual([3, true, ["first", "last", "plain"]]);
    expect(people.map((person) => ruleset.decide("last", person).value)).toEqual([true, true, false]);
    expect(ruleset.peek("first", { country: "AT" }).ruleId).toBe("AT");
    expect([ruleset.size, [...ruleset.keys()].sort()]).toEqual([3, ["first", "last", "plain"]]);
    expect(ruleset.takeCounts().toSorted((a, b) => a.count - b.count)).toEqual([
      { flag: "last", variant: "off", count: 1 },
      { flag: "last", variant: "on", count: 2 },
    ]);
  });

  it("is compiled when it is first asked for, and its defect is known from then on", () => {
    const ruleset = compile(snapshotOf({ flags: { ruled, broken } }));
    expect(ruleset.knownDefects()).toEqual([]);
    const outcomes = [1, 2, 3].map(() => ruleset.decide("broken", {}));
    expect(outcomes.map(({ errorCode }) => errorCode)).toEqual(["PARSE_ERROR", "PARSE_ERROR", "PARSE_ERROR"]);
    expect(outcomes.map((outcome) => outcome === FIRST_MALFORMED)).toEqual([true, false, false]);
    expect(ruleset.knownDefects().map(({ flag, code }) => [flag, code])).toEqual([["broken", "unknown_variant"]]);
    expect(ruleset.takeCounts()).toEqual([{ flag: "broken", count: 3 }]);
  });

  it("is compiled at once where others ask for it, whichever comes first", () => {
    const flags = { early: needs("ruled"), ruled, late: needs("ruled") };
    const ruleset = compile(snapshotOf({ flags }));
    const values = ["early", "late"].map((key) => people.map((person) => ruleset.decide(key, person).value));
    expect(values).toEqual([
      [true, true, false],
      [true, true, false],
    ]);
    expect(ruleset.defects()).toEqual([]);
  });

  it("may change, go and come back without ever having been compiled", () => {
    const ruleset = compile(snapshotOf({ flags: { a: ruled, b: ruled, c: broken } }));
    expect(ruleset.apply(change({ flags: { a: broken, b: null } }))).toEqual(["a", "b"]);
    expect(ruleset.knownDefects().map(({ flag }) => flag)).toEqual(["a"]);
    expect([ruleset.size, ruleset.has("b"), ruleset.decide("b", {}).errorCode]).toEqual([2, false, "FLAG_NOT_FOUND"]);
    expect(ruleset.apply(change({ from: 2, revision: 3, flags: { b: ruled } }))).toEqual(["b"]);
    expect(ruleset.decide("b", { country: "DE" }).value).toBe(true);
    expect(ruleset.defects().map(({ flag }) => flag)).toEqual(["a", "c"]);
  });
});
