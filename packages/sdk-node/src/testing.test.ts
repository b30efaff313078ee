import { describe, expect, expectTypeOf, it, vi } from "vitest";
import { createClient } from "./index.ts";
import { plain, snapshotOf } from "./rules.fixture.ts";
import { createTestClient, type TestClient } from "./testing.ts";

const USER = { targetingKey: "user-42", country: "DE" };

describe("fixed flags", () => {
  it("serve what they were given, by type, and the default where there is no flag or another type", () => {
    const limits = { rows: 5 };
    const belay = createTestClient({ flags: { "checkout-v2": true, pricing: "wide", size: 20, limits, countries: ["DE"] } });
    expect(belay.isEnabled("checkout-v2", USER)).toBe(true);
    expect(belay.value("pricing", USER, "compact")).toBe("wide");
    expect(belay.value("size", {}, 10)).toBe(20);
    expect(belay.value("limits", {}, { rows: 1 })).toEqual({ rows: 5 });
    expect(belay.value("countries", {}, ["US"])).toEqual(["DE"]);
    expect(belay.value("pricing", USER, 7)).toBe(7);
    expect(belay.isEnabled("checkout-v3", USER)).toBe(false);
    expect(belay.evaluate("pricing", USER, "compact")).toEqual({ value: "wide", variant: "wide", reason: "STATIC", revision: 1 });
    expect(belay.evaluate("checkout-v3", USER, true)).toMatchObject({ value: true, errorCode: "FLAG_NOT_FOUND" });
    expect(belay.explain("pricing", USER).result).toMatchObject({ value: "wide" });
    expect(Object.isFrozen(limits)).toBe(false);
  });

  it("are overridden for one test and come back, in whatever order; each change is told", () => {
    const belay = createTestClient({ flags: { pricing: "wide", "checkout-v2": true } });
    const changes: number[] = [];
    belay.on("change", ({ revision }) => changes.push(revision));
    const takeBack = belay.override({ pricing: "compact" });
    const takeBackMore = belay.override({ pricing: "roomy", "checkout-v2": undefined });
    expect([belay.value("pricing", USER, ""), belay.isEnabled("checkout-v2", USER)]).toEqual(["roomy", false]);
    takeBack();
    expect([belay.value("pricing", USER, ""), belay.isEnabled("checkout-v2", USER)]).toEqual(["roomy", false]);
    takeBackMore();
    expect([belay.value("pricing", USER, ""), belay.isEnabled("checkout-v2", USER)]).toEqual(["wide", true]);
    expect(changes).toEqual([2, 3, 4, 5]);
  });
});

describe("what was recorded", () => {
  const flags = { pricing: "wide", "checkout-v2": true };
  const experiments = { pricing: "pricing-2026" };

  it("is there at once: first exposures of experiments only, once a unit", () => {
    const belay = createTestClient({ flags, experiments, contextAttributes: ["country"] });
    for (let render = 0; render < 50; render += 1) {
      belay.value("pricing", USER, "compact");
      belay.isEnabled("checkout-v2", USER);
    }
    belay.value("pricing", { targetingKey: "user-43" }, "compact");
    expect(belay.exposures).toEqual([
      {
        seq: 1,
        timeMs: 0,
        flag: "pricing",
        variant: "wide",
        experiment: "pricing-2026",
        epoch: 1,
        revision: 1,
        unit: "user-42",
        differs: true,
        attributes: { country: "DE" },
      },
      {
        seq: 2,
        timeMs: 0,
        flag: "pricing",
        variant: "wide",
        experiment: "pricing-2026",
        epoch: 1,
        revision: 1,
        unit: "user-43",
        differs: true,
        attributes: {},
      },
    ]);
  });

  it("is a new exposure under another variant, and none where a default was served: no unit, or another type", () => {
    const belay = createTestClient({ flags, experiments });
    belay.value("pricing", USER, "compact");
    belay.override({ pricing: "compact" });
    belay.value("pricing", USER, "compact");
    expect(belay.value("pricing", {}, "default")).toBe("default");
    expect(belay.value("pricing", USER, 7)).toBe(7);
    expect(belay.exposures.map(({ variant }) => variant)).toEqual(["wide", "compact"]);
  });

  it("holds metric events, and not what cannot be sent", () => {
    let now = 1_700_000_000_000;
    const belay = createTestClient({ now: () => now++ });
    belay.track("purchase", USER, { value: 12.5, properties: { currency: "EUR" } });
    belay.track("purchase", USER, { value: Number.NaN });
    belay.track("purchase", {});
    expect(belay.metricEvents).toEqual([
      { seq: 1, timeMs: 1_700_000_000_000, name: "purchase", unit: "user-42", value: 12.5, properties: { currency: "EUR" } },
    ]);
    expect(belay.report()).toMatchObject({ produced: 1, rejected: 2 });
  });

  it("is forgotten by reset, together with overrides and with who was seen", () => {
    const belay = createTestClient({ flags, experiments });
    belay.override({ pricing: "compact" });
    belay.value("pricing", USER, "");
    belay.track("purchase", USER);
    belay.reset();
    expect([belay.exposures, belay.metricEvents]).toEqual([[], []]);
    expect(belay.value("pricing", USER, "")).toBe("wide");
    expect(belay.exposures.map(({ unit, variant, epoch }) => [unit, variant, epoch])).toEqual([["user-42", "wide", 2]]);
  });

  it("never fills a queue: 30,000 events are all taken", async () => {
    const belay = createTestClient();
    for (let turn = 0; turn < 30_000; turn += 1) {
      belay.track("purchase", USER);
      if (turn % 500 === 0) await Promise.resolve();
    }
    expect(belay.metricEvents).toHaveLength(30_000);
    expect(await belay.flush()).toMatchObject({ produced: 30_000, stored: 30_000, dropped: 0 });
  });
});

describe("the client of a test is the client", () => {
  it("by type, and by every name it answers to", () => {
    expectTypeOf<TestClient>().toExtend<ReturnType<typeof createClient>>();
    const real = createClient({ offline: true, bootstrap: snapshotOf(1, { a: plain("string", "b") }) });
    const namesOf = (client: object): string[] => {
      const names = new Set<string>();
      for (let at = client; at !== Object.prototype; at = Object.getPrototypeOf(at))
        for (const name of Object.getOwnPropertyNames(at)) names.add(name);
      return [...names];
    };
    expect(namesOf(createTestClient())).toEqual(expect.arrayContaining(namesOf(real)));
  });

  it("is live at once, asks no network and sets no timer, in all of its life", async () => {
    const asked = vi.spyOn(globalThis, "fetch");
    const timers = ["setTimeout", "setInterval", "setImmediate"] as const;
    const set = timers.map((name) => vi.spyOn(globalThis, name));
    const belay = createTestClient({ flags: { pricing: "wide" }, experiments: { pricing: "exp" } });
    expect([belay.state, belay.revision, await belay.ready()]).toEqual(["live", 1, "live"]);
    belay.value("pricing", USER, "compact");
    belay.isEnabled("unknown");
    belay.override({ pricing: "compact" });
    expect(await belay.flush()).toEqual({ produced: 1, stored: 1, dropped: 0, queued: 0, rejected: 0 });
    expect(await belay.close()).toEqual({ produced: 1, stored: 1, dropped: 0, queued: 0, rejected: 0 });
    expect([belay.state, belay.value("pricing", USER, "")]).toEqual(["closed", "compact"]);
    expect([asked, ...set].map((spy) => spy.mock.calls.length)).toEqual([0, 0, 0, 0]);
    vi.restoreAllMocks();
  });

  it("says to a logger what the real one would", async () => {
    const said: string[] = [];
    const logger = { warn: (message: string) => void said.push(message), error: (message: string) => void said.push(message) };
    const belay = createTestClient({ flags: { "checkout-v2": true }, logger });
    belay.isEnabled("checkout-v3", USER);
    await belay.ready();
    expect(said).toEqual(["belay: there is no flag checkout-v3; the default is served; did you mean checkout-v2?"]);
  });

  it("mistakes do not compile", () => {
    // @ts-expect-error a value is JSON
    expect(() => createTestClient({ flags: { pricing: () => "wide" } })).toThrow("could not be cloned");
    // @ts-expect-error an experiment has a name
    expect(createTestClient({ experiments: { pricing: true } }).revision).toBe(1);
    // @ts-expect-error what was recorded is only read
    expect(createTestClient().exposures.push()).toBe(0);
  });
});
