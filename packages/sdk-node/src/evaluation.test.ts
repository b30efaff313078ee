import type { Json, SnapshotFlag } from "@belay/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { testClient } from "./clients.fixture.ts";
import type { EvaluationContext } from "./index.ts";
import { experiment, plain, rollout, snapshotOf } from "./rules.fixture.ts";

const HOSTILE_KEYS = ["__proto__", "constructor", "toString", "hasOwnProperty", "", "a".repeat(10_000)];

const flags = Object.fromEntries([
  ...Array.from({ length: 96 }, (_, n) => [`flag-${n}`, rollout(500_000)] as const),
  ["pricing", experiment()] as const,
  ["limits", plain("object", { rows: 5 })] as const,
  ["countries", plain("object", ["DE", "FR"])] as const,
  [
    "vip",
    { ...rollout(1_000_000), rules: [{ id: "r1", when: { attribute: "vip", op: "in", value: true }, serve: { variant: "on" } }] },
  ] as const,
]);

function offlineClient() {
  return testClient({ offline: true, bootstrap: snapshotOf(1, flags) });
}

const anything = fc.anything({
  withBigInt: true,
  withDate: true,
  withNullPrototype: true,
  withSparseArray: true,
  withTypedArray: true,
});
const refuse = (): never => {
  throw new Error("read");
};
/** Contexts that throw when they are read. The generator must not touch them, so it deals in their numbers. */
const THROWING: readonly object[] = [
  new Proxy({}, { get: refuse, has: refuse, ownKeys: refuse, getOwnPropertyDescriptor: refuse, getPrototypeOf: refuse }),
  Object.defineProperty({}, "targetingKey", { get: refuse, enumerable: true }),
];
const key = fc.oneof(fc.constantFrom("flag-1", "pricing", "vip", "limits", "countries", ...HOSTILE_KEYS), fc.string(), anything);
const context = fc.oneof(
  fc.record({ plain: fc.oneof(anything, fc.record({ targetingKey: anything, vip: anything })) }),
  fc.record({ throwing: fc.nat(THROWING.length - 1) }),
);
const fallback = fc.oneof(fc.boolean(), fc.string(), fc.double(), fc.constant(null), fc.array(fc.integer()), fc.object());

/** Lists and objects are two types, and a default of `null` takes either. */
function shape(value: unknown, fallback: unknown): string {
  return Array.isArray(value) && fallback !== null ? "list" : typeof value;
}

describe("fault 1: 100,000 fuzzed calls", () => {
  it("none throws, and each answer has the type of its default", () => {
    const { belay } = offlineClient();
    let calls = 0;
    fc.assert(
      fc.property(key, context, fallback, (anyKey, anyContext, anyFallback) => {
        const given = "throwing" in anyContext ? THROWING[anyContext.throwing] : anyContext.plain;
        const wrong = { key: anyKey as string, context: given as EvaluationContext, fallback: anyFallback as Json };
        expect(typeof belay.isEnabled(wrong.key, wrong.context)).toBe("boolean");
        const expected = shape(wrong.fallback, wrong.fallback);
        expect(shape(belay.value(wrong.key, wrong.context, wrong.fallback), wrong.fallback)).toBe(expected);
        expect(shape(belay.evaluate(wrong.key, wrong.context, wrong.fallback).value, wrong.fallback)).toBe(expected);
        expect(Array.isArray(belay.explain(wrong.key, wrong.context).lines)).toBe(true);
        belay.track(wrong.key, wrong.context, { value: anyFallback as number, properties: given as Record<string, unknown> });
        calls += 5;
      }),
      { numRuns: 20_000 },
    );
    expect(calls).toBe(100_000);
  });
});

describe("an object flag", () => {
  it("answers an object where one is the default, a list where one is, either for null, and says once what does not fit", () => {
    const { belay, said } = offlineClient();
    expect(belay.value("limits", {}, { rows: 1 })).toEqual({ rows: 5 });
    expect(belay.value("countries", {}, ["US"])).toEqual(["DE", "FR"]);
    expect([belay.value("limits", {}, null), belay.value("countries", {}, null)]).toEqual([{ rows: 5 }, ["DE", "FR"]]);
    expect(belay.value("limits", {}, ["US"])).toEqual(["US"]);
    expect(belay.evaluate("countries", {}, { rows: 1 })).toEqual({
      value: { rows: 1 },
      reason: "ERROR",
      errorCode: "TYPE_MISMATCH",
      revision: 1,
    });
    expect(said).toEqual([
      "belay: flag limits is no list; the default is served",
      "belay: flag countries is no object; the default is served",
    ]);
  });
});

describe("fault 2: names that JavaScript finds special", () => {
  it.each(HOSTILE_KEYS.map((hostile) => [hostile.slice(0, 20), hostile]))(
    "%j is a flag that is not there, and nothing grows on Object.prototype",
    (_label, hostile) => {
      const { belay } = offlineClient();
      expect(belay.evaluate(hostile, { targetingKey: "u" }, false)).toEqual({
        value: false,
        reason: "ERROR",
        errorCode: "FLAG_NOT_FOUND",
        revision: 1,
      });
      expect(Object.keys(Object.prototype)).toEqual([]);
    },
  );
});

describe("fault 3: a context with an own __proto__", () => {
  it("inherits nothing from it", () => {
    const { belay } = offlineClient();
    expect(belay.isEnabled("vip", JSON.parse('{"targetingKey":"u","vip":true}'))).toBe(true);
    expect(belay.isEnabled("vip", JSON.parse('{"targetingKey":"u","__proto__":{"vip":true}}'))).toBe(false);
  });
});

describe("what is recorded", () => {
  const exposed: unknown[] = [];
  const options = {
    offline: true,
    bootstrap: snapshotOf(1, flags),
    onExposure: (exposure: unknown) => void exposed.push(exposure),
  };

  it("fault 13: without a unit the default is served, with its reason, and nothing is recorded", () => {
    const { belay } = testClient(options);
    for (const without of [{}, { targetingKey: "" }, { targetingKey: Number.NaN }]) {
      expect(belay.evaluate("pricing", without, "none")).toEqual({
        value: "none",
        reason: "ERROR",
        errorCode: "TARGETING_KEY_MISSING",
        revision: 1,
      });
    }
    expect(exposed).toEqual([]);
  });

  it("fault 39: nothing before there are rules, and nothing where the default of another type is served", () => {
    const { belay } = testClient({ ...options, bootstrap: snapshotOf(1, {}) });
    belay.value("pricing", { targetingKey: "u" }, "none");
    const { belay: typed, said } = testClient(options);
    expect(typed.value("pricing", { targetingKey: "u" }, 7)).toBe(7);
    expect(typed.isEnabled("pricing", { targetingKey: "u" })).toBe(false);
    expect(exposed).toEqual([]);
    expect(said).toEqual([
      "belay: flag pricing is no number; the default is served",
      "belay: flag pricing is no boolean; the default is served",
    ]);
  });

  it("fault 37: one exposure for 50 renders, and one for the next user", () => {
    const { belay } = testClient(options);
    for (const user of ["user-1", "user-2"])
      for (let render = 0; render < 50; render += 1) belay.value("pricing", { targetingKey: user }, "none");
    expect(exposed.map((exposure) => (exposure as { unit: string }).unit)).toEqual(["user-1", "user-2"]);
  });
});

describe("the application's own code", () => {
  it("may throw or reject wherever it is called: no answer changes", async () => {
    const bad = (): never => {
      throw new Error("application");
    };
    const { belay } = testClient({
      offline: true,
      bootstrap: snapshotOf(1, flags),
      onExposure: bad,
      logger: { warn: bad, error: bad, info: bad, debug: bad },
    });
    belay.on("error", async () => bad());
    belay.on("nothing" as "error", bad);
    expect(belay.value("pricing", { targetingKey: "u" }, "none")).toMatch(/compact|roomy/);
    expect(belay.isEnabled("no-such-flag", { targetingKey: "u" }, true)).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 20));
  });

  it("hears of an unknown key once, with the nearest one", async () => {
    const { belay, said } = offlineClient();
    for (let turn = 0; turn < 1_000; turn += 1) belay.isEnabled("pricin", { targetingKey: "u" });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(said).toEqual(["belay: there is no flag pricin; the default is served; did you mean pricing?"]);
  });

  it("hears of at most 50 unknown keys, however many there are", async () => {
    const { belay, said } = offlineClient();
    for (let turn = 0; turn < 10_000; turn += 1) belay.isEnabled(`unknown-${turn}`, {});
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(said).toHaveLength(50);
  });

  it("hears of a malformed flag once: as it arrives, or when it is first asked for where its rules wait for that", () => {
    const short: SnapshotFlag = { ...rollout(500_000), off: "gone" };
    const long: SnapshotFlag = { ...short, rules: [...short.rules, { id: "r2", serve: { variant: "on" } }] };
    const { belay, said } = testClient({ offline: true, bootstrap: snapshotOf(1, { short, long }) });
    const malformed = (flag: string) =>
      `belay: flag ${flag} is malformed and answers the caller's default (unknown_variant, off)`;
    expect(said).toEqual([malformed("short")]);
    for (let turn = 0; turn < 3; turn += 1) expect(belay.isEnabled("long", {}, true)).toBe(true);
    expect(belay.evaluate("long", {}, false)).toEqual({ value: false, reason: "ERROR", errorCode: "PARSE_ERROR", revision: 1 });
    expect(said).toEqual([malformed("short"), malformed("long")]);
  });

  it("takes a listener away again", () => {
    const { belay, said } = offlineClient();
    const stop = belay.on("error", () => said.push("heard"));
    stop();
    stop();
    belay.value("pricing", { targetingKey: "u" }, 1);
    expect(said).toEqual(["belay: flag pricing is no number; the default is served"]);
  });
});

describe("fault 34: values that cannot be sent", () => {
  const circular: Record<string, unknown> = {};
  circular["self"] = circular;

  it.each([
    ["a NaN value", "e", { value: Number.NaN }],
    ["a BigInt value", "e", { value: 1n as unknown as number }],
    ["a text as a value", "e", { value: "12" as unknown as number }],
    ["no name", "", {}],
    ["a name of 129 characters", "n".repeat(129), {}],
    ["properties that are a list", "e", { properties: [] as unknown as Record<string, unknown> }],
    [
      "properties of a megabyte",
      "e",
      { properties: Object.fromEntries(Array.from({ length: 60 }, (_, n) => [n, "x".repeat(1_024)])) },
    ],
  ])("%s: refused with a reason, and counted", (_name, name, details) => {
    const { belay, said } = testClient({ url: "http://127.0.0.1:9" });
    belay.track(name, { targetingKey: "u" }, details);
    expect(belay.report()).toEqual({ produced: 0, stored: 0, dropped: 0, queued: 0, rejected: 1 });
    expect(said.filter((line) => line.includes("was not recorded"))).toHaveLength(1);
  });

  it.each([
    ["a cycle", circular],
    ["a BigInt", { big: 1n }],
    ["an invalid date", { at: new Date(Number.NaN) }],
    ["a text of a megabyte", { text: "x".repeat(1_048_576) }],
    ["undefined", { gone: undefined }],
  ])("%s among the properties: sent without it", (_name, properties) => {
    const { belay } = testClient({ url: "http://127.0.0.1:9" });
    belay.track("e", { targetingKey: "u" }, { properties });
    expect(belay.report()).toMatchObject({ produced: 1, queued: 1, rejected: 0 });
  });
});
