/** Faults and bad input at the level of core, with their numbers; shares and spaces (9-12) are in laws.prop.test.ts. */
import type { Condition, EvaluationContext, Json, Snapshot, SnapshotFlag } from "@belay/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkFlag } from "./check.ts";
import { evaluate } from "./evaluate.ts";
import { explain } from "./explain.ts";
import { flags as anyFlags, contexts, snapshots } from "./random-snapshot.fixture.ts";
import { compile } from "./ruleset.ts";
import { OPTIONS, snapshotOf, vectors } from "./vectors.fixture.ts";

const HOSTILE = ["__proto__", "constructor", "toString", "hasOwnProperty", "", "valueOf", "x".repeat(10_000), "\ud800"];
const on: SnapshotFlag = {
  type: "boolean",
  variants: { on: true, off: false },
  enabled: true,
  rules: [],
  fallthrough: { variant: "on" },
};
const whenever = (when: Condition): SnapshotFlag => ({
  ...on,
  rules: [{ id: "r", when, serve: { variant: "on" } }],
  fallthrough: { variant: "off" },
});
const needs = (flag: string): SnapshotFlag => ({ ...on, prerequisites: [{ flag, variants: ["on"] }] });
/** Time of the processor: other programs on the machine do not lengthen it. */
const processorMilliseconds = (run: () => void): number => {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
};

const milliseconds = (run: () => void): number => {
  const start = performance.now();
  run();
  return performance.now() - start;
};

describe("fault 1: 100,000 evaluations of fuzzed keys, contexts and defaults", () => {
  it("never throw, always answer the default's type, and leave Object.prototype empty", () => {
    const anything = fc.oneof(
      contexts as fc.Arbitrary<unknown>,
      fc.anything({
        withBigInt: true,
        withDate: true,
        withMap: true,
        withNullPrototype: true,
        withObjectString: true,
        withSparseArray: true,
      }),
    );
    const keys = fc.oneof(fc.constantFrom<unknown>(...HOSTILE, "a", "b", "c"), fc.anything());
    const fallbacks = fc.oneof(fc.boolean(), fc.string(), fc.double(), fc.constant(null), fc.jsonValue()) as fc.Arbitrary<Json>;
    const tuple = <T>(of: fc.Arbitrary<T>, length: number): fc.Arbitrary<T[]> =>
      fc.array(of, { minLength: length, maxLength: length });
    let evaluations = 0;
    fc.assert(
      fc.property(snapshots, tuple(keys, 10), tuple(anything, 10), tuple(fallbacks, 5), (snapshot, asked, given, defaults) => {
        const ruleset = compile(snapshot, OPTIONS);
        for (const key of asked) {
          for (const context of given) {
            for (const fallback of defaults) {
              const { value, reason } = evaluate(ruleset, key as string, context as EvaluationContext, fallback);
              evaluations++;
              if (typeof value !== typeof fallback || typeof reason !== "string")
                throw new Error(`${typeof value} for ${typeof fallback}`);
            }
          }
        }
        ruleset.takeCounts();
      }),
      { numRuns: 200 },
    );
    expect(evaluations).toBe(100_000);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  it("never throw when a context does: default with GENERAL, and the next evaluation is none the wiser", () => {
    const ruleset = compile(snapshotOf({ flags: { flag: whenever({ attribute: "a", op: "exists", value: true }) } }));
    const throwing = {
      get a(): string {
        throw new Error("no");
      },
    };
    const hostile = new Proxy(
      {},
      {
        getPrototypeOf: () => {
          throw new Error("no");
        },
      },
    );
    expect(evaluate(ruleset, "flag", throwing, false)).toEqual({
      value: false,
      reason: "ERROR",
      revision: 1,
      errorCode: "GENERAL",
    });
    expect(evaluate(ruleset, "flag", hostile, false).errorCode).toBe("GENERAL");
    expect(evaluate(ruleset, "flag", { a: "x" }, false).value).toBe(true);
    expect(explain(ruleset, "flag", throwing).result.errorCode).toBe("GENERAL");
  });

  it.each([[null], [undefined], [42], ["user-1"], [Symbol("s")], [[]], [() => 1]])("take %s for a context", (context) => {
    const ruleset = compile(snapshotOf({ flags: { flag: on, asks: whenever({ attribute: "a", op: "exists", value: true }) } }));
    expect(evaluate(ruleset, "flag", context as never, false).value).toBe(true);
    expect(evaluate(ruleset, "asks", context as never, true).value).toBe(false);
  });
});

describe("fault 2: flag keys that JavaScript finds special", () => {
  it("are not found, counted once each, and leave Object.prototype empty", () => {
    const ruleset = compile(snapshotOf({ flags: { on } }));
    const codes = HOSTILE.map((key) => evaluate(ruleset, key, {}, "default"));
    expect(new Set(codes.map(({ value, errorCode }) => `${value} ${errorCode}`))).toEqual(new Set(["default FLAG_NOT_FOUND"]));
    // The key of 10,000 characters is not remembered, so it is not counted by name either.
    expect(ruleset.takeCounts()).toEqual(HOSTILE.filter((key) => key.length <= 128).map((flag) => ({ flag, count: 1 })));
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  it("are found when there are such flags", () => {
    const flags = JSON.parse(`{"__proto__":${JSON.stringify(on)},"constructor":${JSON.stringify(on)}}`) as Snapshot["flags"];
    const ruleset = compile(snapshotOf({ flags }));
    expect(["__proto__", "constructor", "toString"].map((key) => ruleset.decide(key, {}).value)).toEqual([true, true, undefined]);
    expect([...ruleset.keys()]).toEqual(["__proto__", "constructor"]);
  });
});

describe("fault 3: a context with an own key __proto__", () => {
  const ruleset = compile(
    snapshotOf({
      flags: {
        country: whenever({ attribute: "country", op: "in", value: "DE" }),
        proto: whenever({ attribute: "__proto__", op: "in", value: "DE" }),
        path: whenever({ attribute: "__proto__.country", op: "in", value: "DE" }),
        constructed: whenever({ attribute: "constructor", op: "exists", value: true }),
      },
    }),
  );
  const decided = (context: EvaluationContext): unknown[] =>
    ["country", "proto", "path", "constructed"].map((key) => ruleset.decide(key, context).value);

  it.each([
    [
      "is an attribute like any other",
      JSON.parse('{"__proto__":{"country":"DE"}}') as EvaluationContext,
      [false, false, true, false],
    ],
    ["may hold a text", JSON.parse('{"__proto__":"DE"}') as EvaluationContext, [false, true, false, false]],
    [
      "lends nothing it inherits",
      Object.create({ country: "DE", constructor: "x" }) as EvaluationContext,
      [false, false, false, false],
    ],
    [
      "is not the prototype of an instance",
      new (class {
        country = "DE";
      })() as unknown as EvaluationContext,
      [true, false, false, false],
    ],
    ["is not needed", Object.assign(Object.create(null), { country: "DE" }) as EvaluationContext, [true, false, false, false]],
  ])("%s", (_, context, expected) => {
    expect(decided(context)).toEqual(expected);
  });
});

describe("fault 4: one broken flag of 100", () => {
  const { snapshots: known } = vectors("evaluations.json");
  const broken = Object.entries((known["malformed"] as Snapshot).flags).filter(
    ([key]) => !key.startsWith("neighbour") && !key.endsWith("-twin"),
  );
  const fine = Object.fromEntries(Array.from({ length: 99 }, (_, i) => [`flag-${i}`, on]));

  it.each(broken)("leaves the other 99 as they were: %s", (key, flag) => {
    const ruleset = compile(snapshotOf({ flags: { ...fine, [key]: flag } }), OPTIONS);
    expect(Object.keys(fine).filter((one) => ruleset.decide(one, {}).value !== true)).toEqual([]);
    expect(evaluate(ruleset, key, { targetingKey: "u" }, "default")).toEqual({
      value: "default",
      reason: "ERROR",
      revision: 1,
      errorCode: "PARSE_ERROR",
    });
    expect(ruleset.defects().map((defect) => defect.flag)).toEqual([key]);
    expect(ruleset.size).toBe(100);
  });
});

describe("fault 5: prerequisites in a cycle", () => {
  it.each([1, 2, 50])("of length %i answer the default at once, and are refused with the cycle", (length) => {
    const flags = Object.fromEntries(Array.from({ length }, (_, i) => [`flag-${i}`, needs(`flag-${(i + 1) % length}`)]));
    const ruleset = compile(snapshotOf({ flags }));
    expect(milliseconds(() => ruleset.decide("flag-0", {}))).toBeLessThan(50);
    expect(evaluate(ruleset, "flag-0", {}, "default")).toMatchObject({ value: "default", errorCode: "PARSE_ERROR" });
    expect(ruleset.defects()).toHaveLength(length);
    const [defect] = checkFlag(needs(`flag-${1 % length}`), { spaces: {}, segments: {}, flags }, "flag-0");
    expect(defect?.code).toBe("prerequisite_cycle");
    expect(defect?.cycle?.split(" -> ")).toHaveLength(length + 1);
  });
});

describe("fault 6: definitions without end", () => {
  const nested = (depth: number): Condition => {
    let condition: Condition = { attribute: "a", op: "exists", value: true };
    for (let i = 0; i < depth; i++) condition = { not: condition };
    return condition;
  };
  const value = (depth: number): Json => JSON.parse(`${"[".repeat(depth)}${"]".repeat(depth)}`) as Json;
  const many = (count: number): Condition => ({
    any: Array.from({ length: count }, () => ({ attribute: "a", op: "exists", value: true })),
  });
  const endless: [string, SnapshotFlag, string, string][] = [
    ["10,000 deep", whenever(nested(10_000)), "limit_exceeded", `rules[0].when${".not".repeat(33)}`],
    ["100,000 deep", whenever(nested(100_000)), "limit_exceeded", `rules[0].when${".not".repeat(33)}`],
    ["10,000 conditions", whenever(many(10_000)), "limit_exceeded", "rules[0].when.any[9999]"],
    ["values 10,000 deep", { ...on, type: "object", variants: { on: value(10_000) } }, "limit_exceeded", "variants.on"],
    ["values 100,000 deep", { ...on, type: "object", variants: { on: value(100_000) } }, "limit_exceeded", "variants.on"],
    [
      "10,001 values in a list",
      whenever({ attribute: "a", op: "in", value: Array.from({ length: 10_001 }, (_, i) => i) }),
      "limit_exceeded",
      "rules[0].when.value",
    ],
    [
      "1,001 rules",
      { ...on, rules: Array.from({ length: 1_001 }, (_, i) => ({ id: `${i}`, serve: { variant: "on" } })) },
      "limit_exceeded",
      "rules",
    ],
  ];

  it.each(endless)("are refused and isolated at once: %s", (_, flag, code, field) => {
    let defects = checkFlag(on, { spaces: {}, segments: {}, flags: {} }, "flag");
    expect(defects).toEqual([]);
    // 50 ms on an idle machine; the bound leaves room for a busy one.
    expect(
      milliseconds(() => {
        defects = checkFlag(flag, { spaces: {}, segments: {}, flags: {} }, "flag");
      }),
    ).toBeLessThan(500);
    expect(defects.map((defect) => [defect.code, defect.field])).toContainEqual([code, field]);
    const ruleset = compile(snapshotOf({ flags: { flag, neighbour: on } }));
    expect([ruleset.decide("flag", {}).errorCode, ruleset.decide("neighbour", {}).value]).toEqual(["PARSE_ERROR", true]);
    expect(ruleset.apply({ ...snapshotOf({ flags: { flag }, revision: 2 }), from: 1 })).toEqual(["flag"]);
    expect(ruleset.decide("flag", {}).errorCode).toBe("PARSE_ERROR");
  });

  it("are allowed up to the limits", () => {
    const flags = { deep: whenever(nested(32)), many: whenever(many(9_999)), chain: on };
    expect(Object.entries(flags).map(([key, flag]) => checkFlag(flag, { spaces: {}, segments: {}, flags }, key))).toEqual([
      [],
      [],
      [],
    ]);
    expect(compile(snapshotOf({ flags })).decide("deep", { a: 1 }).value).toBe(true);
  });

  it("are refused over a megabyte", () => {
    const flag: SnapshotFlag = { ...on, type: "string", variants: { on: "ü".repeat(600_000) } };
    const [defect] = checkFlag(flag, { spaces: {}, segments: {}, flags: {} }, "flag");
    const bytes = new TextEncoder().encode(JSON.stringify(flag)).length;
    expect(defect).toMatchObject({ code: "limit_exceeded", field: "", received: bytes, allowed: 1_048_576 });
  });

  it("do not multiply when segments fan out: 40 that each ask twice for the next", () => {
    const segments = Object.fromEntries(
      Array.from({ length: 40 }, (_, i) => [
        `s${i}`,
        i === 39 ? { attribute: "a", op: "exists", value: true } : { all: [{ segment: `s${i + 1}` }, { segment: `s${i + 1}` }] },
      ]),
    ) as Snapshot["segments"];
    const ruleset = compile(snapshotOf({ flags: { flag: whenever({ segment: "s0" }) }, segments }));
    expect(milliseconds(() => expect(ruleset.decide("flag", { a: 1 }).value).toBe(true))).toBeLessThan(500);
    expect(explain(ruleset, "flag", { a: 1 }).lines.length).toBeLessThan(200);
  });
});

describe("fault 7: the pattern ^(a+)+$ on 5,000 characters, 1,000 times", () => {
  it("answers no within linear time", () => {
    const ruleset = compile(
      snapshotOf({ flags: { flag: whenever({ attribute: "a", op: "matches", value: "^(a+)+$" }) } }),
      OPTIONS,
    );
    const context = { a: `${"a".repeat(5_000)}!` };
    ruleset.decide("flag", context);
    const p99 = Array.from({ length: 1_000 }, () =>
      processorMilliseconds(() => expect(ruleset.decide("flag", context).value).toBe(false)),
    ).sort((a, b) => a - b)[989];
    // A backtracking engine needs longer than the universe is old.
    expect(p99).toBeLessThan(20);
  });
});

describe("fault 8: patterns that the engine lacks", () => {
  it.each(["(", "(?<=a)b", "(?=a)", "(a)\\1", "a{1001}", "a".repeat(1_025)])("are refused with their place: %s", (value) => {
    const [defect, ...others] = checkFlag(
      whenever({ attribute: "a", op: "matches", value }),
      { spaces: {}, segments: {}, flags: {} },
      "flag",
      OPTIONS,
    );
    expect(others).toEqual([]);
    expect(defect).toMatchObject({ code: "invalid_pattern", field: "rules[0].when.value", received: value });
    expect(defect?.reason?.length).toBeGreaterThan(10);
  });

  it("are all there is where no engine is given", () => {
    const ruleset = compile(snapshotOf({ flags: { flag: whenever({ attribute: "a", op: "matches", value: "a" }) } }));
    expect(ruleset.defect("flag")).toMatchObject({ code: "invalid_pattern", reason: "no pattern engine is available here" });
  });
});

describe("fault 13: no unit where a share is asked for", () => {
  const spaces = { share: { salt: "k3v9x2qa" } };
  const split = [
    { variant: "on", draws: [{ space: "share", in: [[0, 1_000_000]] as [number, number][] }], tracks: { release: "r" } },
  ];
  const ruleset = compile(snapshotOf({ flags: { flag: { ...on, spaces, rules: [{ id: "r", serve: { split } }] } } }));

  it.each([[{}], [{ targetingKey: "" }], [{ targetingKey: Number.NaN }], [{ targetingKey: null }], [{ targetingKey: ["u"] }]])(
    "answers the default and exposes nobody: %j",
    (context) => {
      expect(evaluate(ruleset, "flag", context as never, false)).toEqual({
        value: false,
        reason: "ERROR",
        revision: 1,
        errorCode: "TARGETING_KEY_MISSING",
      });
      expect(ruleset.decide("flag", context as never).tracks).toBe(undefined);
    },
  );
});

describe("what was remembered within one evaluation", () => {
  it("stays right when a getter of the context evaluates other flags in between, to any depth", () => {
    const spaces = { "layer/x": { salt: "l4y3rx00" } };
    const segments: Snapshot["segments"] = {
      half: { draw: { space: "layer/x", in: [[0, 500_000]] } },
      german: { attribute: "country", op: "in", value: "DE" },
    };
    const flags: Snapshot["flags"] = {
      base: whenever({ all: [{ segment: "half" }, { segment: "german" }] }),
      flag: whenever({
        all: [
          { flag: "base", variants: ["on"] },
          { attribute: "noise", op: "exists", value: true },
          { segment: "half" },
          { segment: "german" },
          { flag: "base", variants: ["on"] },
        ],
      }),
    };
    const ruleset = compile(snapshotOf({ flags, segments, spaces }));
    const plain = compile(snapshotOf({ flags, segments, spaces }));
    const person = (i: number, depth: number): EvaluationContext => ({
      targetingKey: `user-${i}`,
      country: i % 3 === 0 ? "FR" : "DE",
      get noise(): boolean {
        if (depth > 0) for (const j of [i + 1, i + 7]) ruleset.decide(j % 2 === 0 ? "flag" : "base", person(j, depth - 1));
        return true;
      },
    });
    const wrong = Array.from({ length: 200 }, (_, i) => i).filter(
      (i) => ruleset.decide("flag", person(i, 3)).value !== plain.decide("flag", { ...person(i, 0) }).value,
    );
    expect(wrong).toEqual([]);
  });
});

describe("garbage for flags", () => {
  it("never stops a snapshot from being compiled, changed, explained or checked", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.oneof(anyFlags, fc.anything() as fc.Arbitrary<Json>)), (flags) => {
        const snapshot = snapshotOf({ flags: flags as never });
        const ruleset = compile(snapshot, OPTIONS);
        expect(ruleset.size).toBe(Object.keys(flags).length);
        for (const [key, flag] of Object.entries(flags)) {
          expect(explain(ruleset, key, {}).lines.length).toBeGreaterThan(0);
          const isBroken = ruleset.defect(key) !== undefined;
          if (isBroken) expect(checkFlag(flag as never, snapshot, key, OPTIONS).length).toBeGreaterThan(0);
        }
        ruleset.apply({ ...snapshot, from: 1, revision: 2 } as never);
        expect(ruleset.revision).toBe(2);
      }),
      { numRuns: 200 },
    );
  });

  it("never stops one made of getters that throw", () => {
    const bootstrap = {
      get rules(): never {
        throw new Error("no");
      },
      type: "boolean",
      variants: { on: true },
      enabled: true,
    };
    const ruleset = compile(snapshotOf({ flags: { bootstrap: bootstrap as never, neighbour: on } }));
    expect(ruleset.defects()).toEqual([{ flag: "bootstrap", code: "invalid_field", field: "", reason: "it could not be read" }]);
    expect(ruleset.decide("neighbour", {}).value).toBe(true);
  });
});
