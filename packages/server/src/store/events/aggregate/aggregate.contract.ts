import { murmur3 } from "@belay/core";
import type { Exposure, Json, MetricEvent } from "@belay/protocol";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EventStoreBench } from "../event-store.contract.ts";
import type { EventStore } from "../event-store.ts";
import { batchOf, exposureOf, metricOf } from "../events.fixture.ts";
import { type Happened, isIn, pairOf, sumsAsOf, unitsOf } from "./reference.fixture.ts";
import type { Aggregate, AggregateRequest, Group, MetricQuery, OutcomeCell, Scope } from "./request.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** 2026-11-02T00:00:00Z, day 20,759. */
const START_MS = Date.UTC(2026, 10, 2);
const START_DAY = START_MS / DAY_MS;

/** What every engine must add up, held against a reference that goes through lists. */
export function aggregateContract(name: string, makeBench: () => Promise<EventStoreBench>, runs: number): void {
  describe(`aggregates: ${name}`, () => {
    let bench: EventStoreBench;
    let store: EventStore;
    let projects = 0;

    beforeAll(async () => {
      bench = await makeBench();
      store = await bench.open();
    });
    afterAll(async () => {
      await store.close();
      await bench.clear();
    });

    const newWorld = (): World => {
      projects += 1;
      return new World(store, `project-${projects}`);
    };

    /** The sums of everybody in a variant, over all days. */
    async function everybody(world: World, metric: Partial<MetricQuery> & Pick<MetricQuery, "value">, scope: Scope = "all") {
      const full = { key: "m", window: { fromMs: 0 }, ...metric };
      const { outcomes } = await store.aggregate(world.request({ metrics: [full] }));
      const sums = (variant: string) =>
        total(outcomes.filter((cell) => cell.variant === variant && cell.scope === scope && cell.segment === undefined));
      return { control: sums("control"), treatment: sums("treatment") };
    }

    const COUNT = { kind: "count", events: { name: "visit" } } as const;
    const SUM = { kind: "sum", events: { name: "buy" } } as const;

    test("a unit that met two arms belongs to the one it met first by its clock, whichever arrived first, and is crossed", async () => {
      const world = newWorld();
      await world.happen({
        exposures: [seen("ann", "treatment", HOUR_MS), seen("bob", "control", 0)],
        metrics: [did("ann", "visit", 2 * HOUR_MS)],
      });
      expect(await everybody(world, { value: COUNT })).toMatchObject({
        control: { n: 1, first: [0] },
        treatment: { n: 1, first: [1] },
      });
      await world.happen({ exposures: [seen("ann", "control", 0)] });
      expect(await everybody(world, { value: COUNT })).toMatchObject({
        control: { n: 2, first: [1], second: [1] },
        treatment: { n: 0 },
      });
      const { arms } = await store.aggregate(world.request({ metrics: [] }));
      expect(arms).toEqual([{ variant: "control", epoch: 3, day: START_DAY, units: 2, crossed: 1 }]);
    });

    test("a window holds its first millisecond and not its last; before the exposure nothing counts", async () => {
      const world = newWorld();
      const at = [-1, 0, 999, 1_000, 1_999, 2_000].map((ms) => did("ann", "visit", HOUR_MS + ms));
      await world.happen({ exposures: [seen("ann", "control", HOUR_MS)], metrics: at });
      const within = async (fromMs: number, toMs?: number) =>
        (await everybody(world, { value: COUNT, window: { fromMs, ...(toMs === undefined ? {} : { toMs }) } })).control.first;
      expect(await within(0)).toEqual([5]);
      expect(await within(0, 1_000)).toEqual([2]);
      expect(await within(1_000, 2_000)).toEqual([2]);
      expect(await within(2_000, 2_001)).toEqual([1]);
    });

    test("events without a number add nothing to a sum and are no part of a mean", async () => {
      const world = newWorld();
      const buys = [{ value: 4 }, {}, { value: -1 }].map((over) => did("ann", "buy", 1, over));
      await world.happen({ exposures: [seen("ann", "control", 0)], metrics: buys });
      expect((await everybody(world, { value: SUM })).control).toEqual({ n: 1, first: [3], second: [9] });
      expect((await everybody(world, { value: { ...SUM, kind: "mean" } })).control).toEqual({
        n: 1,
        first: [3, 2],
        second: [9, 6, 4],
      });
    });

    test("a cap cuts a unit's sum, not its events, and the same in every arm and on every day", async () => {
      const world = newWorld();
      await world.happen({
        exposures: [seen("ann", "control", 0), seen("bob", "treatment", 0)],
        metrics: [
          did("ann", "buy", 1, { value: 6 }),
          did("ann", "buy", DAY_MS, { value: 6 }),
          did("bob", "buy", 1, { value: 30 }),
        ],
      });
      const { control, treatment } = await everybody(world, { value: { ...SUM, cap: 10 } });
      expect([control, treatment]).toEqual([
        { n: 1, first: [10], second: [100] },
        { n: 1, first: [10], second: [100] },
      ]);
    });

    test("a unit whose denominator is 0 stays in a ratio", async () => {
      const world = newWorld();
      await world.happen({
        exposures: [seen("ann", "control", 0), seen("bob", "control", 0)],
        metrics: [did("ann", "buy", 1, { value: 5 }), did("ann", "visit", 1)],
      });
      const side = (name: string) => ({ of: "events", events: { name } }) as const;
      const value = { kind: "ratio", numerator: { of: "values", events: { name: "buy" } }, denominator: side("visit") } as const;
      expect((await everybody(world, { value })).control).toEqual({ n: 2, first: [5, 1], second: [25, 5, 1] });
    });

    test("a failure counts once a unit, on the day of its first", async () => {
      const world = newWorld();
      await world.happen({
        exposures: [seen("ann", "control", 0), seen("bob", "control", 0)],
        metrics: [
          did("ann", "error", DAY_MS),
          did("ann", "error", DAY_MS + 1),
          did("ann", "error", 3 * DAY_MS),
          did("bob", "error", 3 * DAY_MS),
        ],
      });
      const { outcomes } = await store.aggregate(
        world.request({ metrics: [metricQuery({ kind: "any", events: { name: "error" } })] }),
      );
      expect(outcomes.map(({ day, n, first }) => [day - START_DAY, n, first[0]])).toEqual([
        [0, 2, 0],
        [1, 0, 1],
        [3, 0, 1],
      ]);
    });

    test("the covariate is what was there before each unit's own exposure; a unit without is marked", async () => {
      const world = newWorld();
      await world.happen({
        metrics: [
          ...[-DAY_MS - 1, -DAY_MS, -1, 0].map((ms) => did("ann", "visit", DAY_MS + ms)),
          did("bob", "visit", 2 * DAY_MS),
        ],
      });
      await world.happen({ exposures: [seen("ann", "control", DAY_MS), seen("bob", "control", DAY_MS)] });
      const { control } = await everybody(world, { value: COUNT, covariateMs: DAY_MS });
      expect(control).toEqual({ n: 2, first: [2, 2, 1], second: [2, 2, 1, 4, 0, 1] });
    });

    test("a unit is ripe once its window is over, with all it did in it", async () => {
      const world = newWorld();
      await world.happen({
        exposures: [seen("ann", "control", 0), seen("bob", "control", 1)],
        metrics: [did("ann", "visit", 1), did("ann", "visit", DAY_MS), did("bob", "visit", 2)],
      });
      const metrics = [metricQuery(COUNT, { window: { fromMs: 0, toMs: DAY_MS } })];
      const ripe = async (asOfMs: number) =>
        (await store.aggregate(world.request({ metrics, asOfMs: START_MS + asOfMs }))).outcomes.filter(
          ({ scope }) => scope === "ripe",
        );
      expect(await ripe(DAY_MS - 1)).toEqual([]);
      const cell = { metric: "m", scope: "ripe", variant: "control", epoch: 3, day: START_DAY + 1 };
      expect(await ripe(DAY_MS)).toEqual([{ ...cell, n: 1, first: [1], second: [1] }]);
      expect(await ripe(DAY_MS + 1)).toEqual([{ ...cell, n: 2, first: [2], second: [2] }]);
    });

    test("a funnel takes its steps in their order", async () => {
      const world = newWorld();
      const steps = ["a", "b", "a"].map((event) => ({ name: event }));
      const walk = (unit: string, ...names: string[]) => names.map((event, at) => did(unit, event, at));
      await world.happen({
        exposures: ["ann", "bob", "cat"].map((unit) => seen(unit, "control", 0)),
        metrics: [...walk("ann", "b", "a", "b"), ...walk("bob", "a", "b", "c", "a"), ...walk("cat", "a", "a", "b")],
      });
      const value = { kind: "funnel", steps } as const;
      expect((await everybody(world, { value })).control).toEqual({ n: 3, first: [1], second: [1] });
      await world.happen({ metrics: [did("ann", "a", DAY_MS)] });
      expect((await everybody(world, { value })).control).toEqual({ n: 3, first: [2], second: [2] });
    });

    test("segments are an attribute of the first exposure as text; what has none is the segment of nothing", async () => {
      const world = newWorld();
      const attributes: { [name: string]: Json }[] = [
        { plan: "pro" },
        { plan: 5 },
        { plan: true },
        { plan: null },
        { plan: ["x"] },
        {},
        { company: { plan: "nested" } },
        { "company.plan": "dotted", company: { plan: "nested" } },
      ];
      const exposures = attributes.map((one, at) => seen(`u${at}`, "control", at, { attributes: one }));
      const { attributes: _, ...bare } = seen("bare", "control", 9);
      await world.happen({ exposures: [...exposures, bare] });
      const { arms } = await store.aggregate(world.request({ metrics: [], segments: ["plan", "company.plan"] }));
      const values = (index: number) =>
        arms.flatMap(({ segment, units }) => (segment?.index === index ? [[segment.value, units]] : [])).sort();
      expect(values(0)).toEqual([
        ["", 6],
        ["5", 1],
        ["pro", 1],
        ["true", 1],
      ]);
      expect(values(1)).toEqual([
        ["", 7],
        ["dotted", 1],
        ["nested", 1],
      ]);
    });

    test("filters ask properties without coercing them", async () => {
      const world = newWorld();
      const properties: { [name: string]: Json }[] = [
        { p: "5" },
        { p: 5 },
        { p: true },
        { p: null },
        { "p/~": 1 },
        { nest: { p: 5 } },
      ];
      await world.happen({
        exposures: [seen("ann", "control", 0)],
        metrics: properties.map((one) => did("ann", "visit", 1, { properties: one })),
      });
      const count = async (property: string, op: "in" | "exists" | "gte" | "lt", value: Json) => {
        const events = { name: "visit", filters: [{ property, op, value }] };
        return (await everybody(world, { value: { kind: "count", events } })).control.first[0];
      };
      expect(await count("p", "in", ["5"])).toBe(1);
      expect(await count("p", "in", [5, true])).toBe(2);
      expect(await count("p", "in", [])).toBe(0);
      expect(await count("p", "gte", 5)).toBe(1);
      expect(await count("p", "lt", 5)).toBe(0);
      expect(await count("p", "exists", true)).toBe(3);
      expect(await count("p", "exists", false)).toBe(3);
      expect(await count("p/~", "exists", true)).toBe(1);
      expect(await count("') or true --", "exists", true)).toBe(0);
      const events = { name: "visit", valueProperty: "p" };
      expect((await everybody(world, { value: { kind: "sum", events } })).control.first).toEqual([5]);
    });

    test("an experiment nobody met has no cells; other environments, projects and experiments are none of its business", async () => {
      const world = newWorld();
      await world.happen({ exposures: [seen("ann", "control", 0, { experiment: "other" })], metrics: [did("ann", "visit", 1)] });
      const request = world.request({ metrics: [metricQuery(COUNT)], segments: ["plan"] });
      expect(await store.aggregate(request)).toEqual({ arms: [], outcomes: [], quantiles: [], lagMs: 0 });
      expect((await store.aggregate({ ...request, environment: "staging", subject: { experiment: "other" } })).arms).toEqual([]);
    });

    test("exposures and events from the end of the experiment on do not count", async () => {
      const world = newWorld();
      await world.happen({
        exposures: [seen("early", "control", -1), seen("ann", "control", 0), seen("late", "control", DAY_MS)],
        metrics: [did("ann", "visit", DAY_MS - 1), did("ann", "visit", DAY_MS)],
      });
      const request = world.request({ metrics: [metricQuery(COUNT)], untilMs: START_MS + DAY_MS });
      const { outcomes } = await store.aggregate({ ...request, fromMs: START_MS });
      expect(total(outcomes)).toEqual({ n: 1, first: [1], second: [1] });
    });

    test("a clock that is hours wrong is set right; the network's delay is not taken for one", async () => {
      const world = newWorld();
      await world.happen({ exposures: [seen("ann", "control", HOUR_MS)] });
      await world.happen({ metrics: [did("ann", "visit", HOUR_MS - 1)] }, { clockOffsetMs: 299_000 });
      expect((await everybody(world, { value: COUNT })).control.first).toEqual([0]);
      await world.happen({ metrics: [did("ann", "visit", -2 * HOUR_MS)] }, { clockOffsetMs: 3 * HOUR_MS });
      expect((await everybody(world, { value: COUNT })).control.first).toEqual([1]);
    });

    test("an erased unit is gone from what was added up before", async () => {
      const world = newWorld();
      await world.happen({
        exposures: [seen("ann", "control", 0), seen("bob", "control", 0)],
        metrics: [did("ann", "visit", 1)],
      });
      expect((await everybody(world, { value: COUNT })).control).toMatchObject({ n: 2, first: [1] });
      await store.erase(world.project, "ann");
      expect((await everybody(world, { value: COUNT })).control).toMatchObject({ n: 1, first: [0] });
    });

    test("a quantile's classes and clusters are those of the events", async () => {
      const world = newWorld();
      const units = Array.from({ length: 40 }, (_, at) => `u${at}`);
      const values = units.map((_, at) => [100 + at, 200 + at, at % 2 === 0 ? -7 : 0]);
      await world.happen({
        exposures: units.map((unit, at) => seen(unit, at % 2 === 0 ? "control" : "treatment", 0)),
        metrics: units.flatMap((unit, at) => (values[at] ?? []).map((value) => did(unit, "latency", 1, { value }))),
      });
      const metric = metricQuery({ kind: "quantile", events: { name: "latency" }, quantile: 0.5 });
      const { quantiles } = await store.aggregate(world.request({ metrics: [metric] }));
      // 120 values, of which the 60th is 119.
      const below = (arm: number) =>
        values.map((list) => list.filter((value) => value < 119).length).filter((_, at) => at % 2 === arm);
      quantiles.forEach((cell, arm) => {
        const shares = below(arm);
        const sum = shares.reduce((all, one) => all + one, 0);
        expect(cell).toMatchObject({
          n: 20,
          first: [sum, 60],
          second: [shares.reduce((all, one) => all + one * one, 0), 3 * sum, 180],
        });
        const exact = values
          .filter((_, at) => at % 2 === arm)
          .flat()
          .sort((a, b) => a - b);
        const ranked = cell.values.flatMap(({ value, count }) => Array.from({ length: count }, () => value));
        expect(ranked).toHaveLength(60);
        ranked.forEach((value, at) => {
          expect(Math.abs(value - (exact[at] ?? 0))).toBeLessThanOrEqual(0.005 * Math.abs(exact[at] ?? 0));
        });
      });
      expect(quantiles).toHaveLength(2);
    });

    test("a release's units are told as an experiment's; of triggered ones only those count whose decision may have differed", async () => {
      const world = newWorld();
      const { experiment: _, ...plain } = seen("eve", "on", 0, { release: "big", attributes: { plan: "pro" } });
      await world.happen({
        exposures: [
          seen("ann", "control", 0, { differs: false }),
          seen("ann", "treatment", HOUR_MS, { differs: true }),
          seen("bob", "control", 0, { differs: false }),
          seen("cat", "treatment", 0),
          plain,
        ],
      });
      const arms = async (subject: AggregateRequest["subject"]) =>
        (await store.aggregate(world.request({ subject }))).arms.map(({ variant, units }) => [variant, units]);
      expect(await arms({ release: "big" })).toEqual([["on", 1]]);
      expect(await arms({ experiment: "checkout-test" })).toEqual([
        ["control", 2],
        ["treatment", 1],
      ]);
      expect(await arms({ experiment: "checkout-test", isTriggered: true })).toEqual([["treatment", 2]]);
    });

    test("a holdout's units are all that were ever seen, on the side of its space where they fall", async () => {
      const world = newWorld();
      const names = ["zoë", "日本語", "🙂", ...Array.from({ length: 200 }, (_, at) => `user-${at}`)];
      await world.happen({
        exposures: names.slice(0, 100).map((name, at) => seen(name, "control", at * HOUR_MS)),
        metrics: names.map((name, at) => did(name, "visit", at)),
      });
      const holdout = { salt: "abcd2345", share: 50_000 };
      const { arms, outcomes } = await store.aggregate(world.request({ subject: { holdout }, metrics: [metricQuery(COUNT)] }));
      const isHeldOut = (name: string): boolean => Math.floor((murmur3(holdout.salt + name) * 1_000_000) / 2 ** 32) < 50_000;
      const heldOut = names.filter(isHeldOut).length;
      expect([heldOut > 3, heldOut < 30]).toEqual([true, true]);
      expect(arms.map(({ variant, epoch, units, crossed }) => [variant, epoch, units, crossed])).toEqual([
        ["held-out", 0, heldOut, 0],
        ["rest", 0, names.length - heldOut, 0],
      ]);
      expect(total(outcomes.filter(({ variant }) => variant === "rest")).first).toEqual([names.length - heldOut]);
    });

    test("of two experiments a unit's value counts from the later of its exposures", async () => {
      const world = newWorld();
      await world.happen({
        exposures: [
          seen("ann", "control", 0),
          seen("ann", "on", 10, { experiment: "b" }),
          seen("bob", "treatment", 20),
          seen("bob", "off", 10, { experiment: "b" }),
          seen("cat", "control", 0),
        ],
        metrics: [
          did("ann", "visit", 5),
          did("ann", "visit", 10),
          did("bob", "visit", 15),
          did("bob", "visit", 25),
          did("bob", "visit", 26),
        ],
      });
      const experiments = ["checkout-test", "b", "none"].map((key) => ({ key, fromMs: START_MS }));
      const request = { project: world.project, environment: "production", experiments, metric: metricQuery(COUNT) };
      const { cells } = await store.pairs(request);
      expect(cells).toEqual([
        { experiments: [0, 1], variants: ["control", "on"], n: 1, first: 1, second: 1 },
        { experiments: [0, 1], variants: ["treatment", "off"], n: 1, first: 2, second: 4 },
      ]);
    });

    test("of a release and an experiment of the same name too, each by its own exposures", async () => {
      const world = newWorld();
      const released = (unit: string, ms: number): Exposure => {
        const { experiment: _, ...plain } = seen(unit, "on", ms, { release: "checkout-test" });
        return plain;
      };
      await world.happen({
        exposures: [seen("ann", "control", 0), released("ann", 10), released("bob", 5)],
        metrics: [did("ann", "visit", 5), did("ann", "visit", 15)],
      });
      const experiments = [
        { key: "checkout-test", fromMs: START_MS },
        { key: "checkout-test", isRelease: true, fromMs: START_MS },
      ] as const;
      const request = { project: world.project, environment: "production", experiments, metric: metricQuery(COUNT) };
      expect((await store.pairs(request)).cells).toEqual([
        { experiments: [0, 1], variants: ["control", "on"], n: 1, first: 1, second: 1 },
      ]);
    });

    test("added up as it came is added up at once, to 1e-12 at values far from 0", async () => {
      const world = newWorld();
      const value = (at: number): { value: number } => ({ value: 1e9 + at / 7 });
      const metrics = [
        metricQuery(SUM, { key: "shifted", shift: 1e9, covariateMs: DAY_MS }),
        metricQuery({ ...SUM, kind: "mean" }, { key: "mean", window: { fromMs: 0, toMs: 3 * DAY_MS } }),
        metricQuery({ ...SUM, cap: 2.5e9 }, { key: "capped" }),
      ];
      for (let round = 0; round < 4; round += 1) {
        await world.happen({
          exposures: Array.from({ length: 9 }, (_, at) => seen(`u${round + at}`, at % 2 === 0 ? "control" : "treatment", at)),
          metrics: Array.from({ length: 30 }, (_, at) =>
            // Every fifth is of a day that was added up before.
            did(`u${at % 12}`, "buy", (at % 5 === 0 ? -HOUR_MS : round * DAY_MS) + at, value(31 * round + at)),
          ),
        });
        await store.aggregate(world.request({ metrics }));
      }
      const asItCame = (await store.aggregate(world.request({ metrics }))).outcomes;
      const atOnce = (await store.aggregate(world.request({ metrics, fromMs: START_MS - 2 * DAY_MS }))).outcomes;
      const far = metrics.flatMap(({ key }) =>
        (["control", "treatment"] as const).flatMap((variant) => {
          const [a, b] = [asItCame, atOnce].map((cells) =>
            total(cells.filter((cell) => cell.metric === key && cell.variant === variant && cell.scope === "all")),
          );
          // Products of what lies on both sides of the shift cancel out: what is rounded is the size of their squares.
          const differ = (some: readonly number[] = [], others: readonly number[] = []): number[] => {
            const size = Math.max(...others.map(Math.abs));
            return some.filter((sum, at) => !(Math.abs(sum - (others[at] ?? Number.NaN)) <= 1e-12 * size));
          };
          expect(a?.n).toBe(b?.n);
          return [...differ(a?.first, b?.first), ...differ(a?.second, b?.second)];
        }),
      );
      expect([asItCame.length > 12, far]).toEqual([true, []]);
    });

    test("whatever arrives in whatever order, each day adds up to what the reference has of it", async () => {
      await fc.assert(
        fc.asyncProperty(worlds(), async ({ rounds, request }) => {
          const world = newWorld();
          for (const round of rounds) {
            await world.happen(round);
            if (round.isAgain) await world.again();
            const asked = world.request(request);
            agree(await store.aggregate(asked), world.happened, asked);
          }
          const experiments = [
            { key: "checkout-test", fromMs: START_MS - DAY_MS },
            { key: "b", fromMs: START_MS, untilMs: START_MS + 2 * DAY_MS },
          ];
          const metric = metricQuery(COUNT, { window: { fromMs: 0, toMs: DAY_MS } });
          const pairs = { project: world.project, environment: "production", experiments, metric };
          const found = (await store.pairs(pairs)).cells.map(({ variants, n, first, second }) => [
            variants.join("/"),
            { n, first: [first], second: [second] },
          ]);
          expect(new Map(found as [string, unknown][])).toEqual(pairOf(world.happened, pairs, [0, 1]));
        }),
        { numRuns: runs, seed: 20_261_123 },
      );
    }, 300_000);
  });
}

/** One project of a store with all that happened in it. */
class World {
  readonly project: string;
  readonly #store: EventStore;
  #seq = 0;
  #last: Parameters<EventStore["append"]>[0] | undefined;
  #happened: { exposures: (Exposure & { position: number })[]; metrics: (MetricEvent & { position: number })[] } = {
    exposures: [],
    metrics: [],
  };

  constructor(store: EventStore, project: string) {
    this.#store = store;
    this.project = project;
  }

  get happened(): Happened {
    return this.#happened;
  }

  async happen(
    events: { exposures?: readonly Exposure[]; metrics?: readonly MetricEvent[] },
    over: { clockOffsetMs?: number } = {},
  ): Promise<void> {
    const number = <E extends { seq: number }>(list: readonly E[] = []): (E & { position: number })[] =>
      list.map((event) => {
        this.#seq += 1;
        return { ...event, seq: this.#seq, position: this.#seq };
      });
    const [exposures, metrics] = [number(events.exposures), number(events.metrics)];
    this.#happened.exposures.push(...exposures);
    this.#happened.metrics.push(...metrics);
    const bare = <E extends { position: number }>(list: readonly E[]): Omit<E, "position">[] =>
      list.map(({ position: _, ...event }) => event);
    this.#last = batchOf({
      project: this.project,
      batchId: `b${this.#seq}`,
      exposures: bare(exposures),
      metrics: bare(metrics),
      ...over,
    });
    await this.#store.append(this.#last);
  }

  /** Sends the last batch once more. */
  async again(): Promise<void> {
    if (this.#last !== undefined) await this.#store.append(this.#last);
  }

  request(over: Partial<AggregateRequest>): AggregateRequest {
    return {
      ...{
        project: this.project,
        environment: "production",
        subject: { experiment: "checkout-test" },
        fromMs: START_MS - DAY_MS,
      },
      ...{ asOfMs: START_MS + 400 * DAY_MS, segments: [], metrics: [], ...over },
    };
  }
}

function seen(unit: string, variant: string, ms: number, over: Partial<Exposure> = {}): Exposure {
  return exposureOf(1, { unit, variant, timeMs: START_MS + ms, ...over });
}

function did(unit: string, name: string, ms: number, over: Partial<MetricEvent> = {}): MetricEvent {
  return metricOf(1, { unit, name, timeMs: START_MS + ms, ...over });
}

function metricQuery(value: MetricQuery["value"], over: Partial<MetricQuery> = {}): MetricQuery {
  return { key: "m", window: { fromMs: 0 }, value, ...over };
}

function total(cells: readonly OutcomeCell[]): { n: number; first: number[]; second: number[] } {
  const add = (sums: readonly number[], more: readonly number[]): number[] => more.map((one, at) => one + (sums[at] ?? 0));
  return cells.reduce(
    (sum, { n, first, second }) => ({ n: sum.n + n, first: add(sum.first, first), second: add(sum.second, second) }),
    { n: 0, first: [] as number[], second: [] as number[] },
  );
}

/** Every prefix of days of every cell is what the reference finds as of the end of it, and arms are what it counts. */
function agree({ arms, outcomes }: Aggregate, happened: Happened, request: AggregateRequest): void {
  const units = unitsOf(happened, request, request.segments);
  const groups = new Map<string, Group>();
  for (const { variant, epoch, segments } of units) {
    for (const group of [
      { variant, epoch },
      ...segments.map((value, index) => ({ variant, epoch, segment: { index, value } })),
    ]) {
      groups.set(JSON.stringify(group), group);
    }
  }
  const isOf = (group: Group) => (cell: Group) => JSON.stringify(groupOf(cell)) === JSON.stringify(group);
  expect(new Set([...arms, ...outcomes].map((cell) => JSON.stringify(groupOf(cell))))).toEqual(new Set(groups.keys()));
  const days = [...new Set(outcomes.map(({ day }) => day))].sort((a, b) => a - b);
  for (const group of groups.values()) {
    const inGroup = units.filter((unit) => isIn(unit, group));
    const counted = arms
      .filter(isOf(group))
      .reduce(({ units: all, crossed }, cell) => ({ units: all + cell.units, crossed: crossed + cell.crossed }), {
        units: 0,
        crossed: 0,
      });
    expect(counted).toEqual({ units: inGroup.length, crossed: inGroup.filter(({ isCrossed }) => isCrossed).length });
    for (const metric of request.metrics) {
      for (const scope of metric.window.toMs === undefined ? (["all"] as const) : (["all", "ripe"] as const)) {
        const cells = outcomes.filter((cell) => cell.metric === metric.key && cell.scope === scope).filter(isOf(group));
        for (const day of days) {
          const expected = sumsAsOf(happened, request, { metric, group, scope, day });
          const found = total(cells.filter((cell) => cell.day <= day));
          const label = JSON.stringify({ group, metric: metric.key, scope, day });
          expect({ label, n: found.n }).toEqual({ label, n: expected.n });
          [...expected.first, ...expected.second].forEach((sum, at) => {
            expect([...found.first, ...found.second][at] ?? 0, label).toBeCloseTo(sum, 9);
          });
        }
      }
    }
  }
}

function groupOf({ variant, epoch, segment }: Group): Group {
  return segment === undefined ? { variant, epoch } : { variant, epoch, segment: { index: segment.index, value: segment.value } };
}

interface Round {
  readonly exposures: readonly Exposure[];
  readonly metrics: readonly MetricEvent[];
  readonly isAgain: boolean;
}

function worlds(): fc.Arbitrary<{ rounds: readonly Round[]; request: Partial<AggregateRequest> }> {
  const unit = fc.constantFrom("u0", "u1", "u2", "u3");
  const ms = fc.oneof(
    fc.integer({ min: -2 * DAY_MS, max: 4 * DAY_MS }),
    fc.constantFrom(-1, 0, 1, DAY_MS - 1, DAY_MS, DAY_MS + 1, 2 * DAY_MS),
  );
  const plan = fc.constantFrom<Json>("pro", "free", 5, true, null, ["list"]);
  const exposure = fc
    .record({
      unit,
      ms,
      variant: fc.constantFrom("control", "treatment"),
      epoch: fc.constantFrom(1, 2),
      plan,
      arm: fc.constantFrom(
        { experiment: "checkout-test" },
        { experiment: "checkout-test" },
        { experiment: "b" },
        { release: "r" },
      ),
      differs: fc.constantFrom({}, { differs: true }, { differs: false }),
    })
    .map(({ unit: who, variant, ms: at, epoch, plan: value, arm, differs }) => {
      const { experiment: _, ...exposure } = seen(who, variant, at, { epoch, attributes: { plan: value }, ...differs });
      return { ...exposure, ...arm };
    });
  const amount = fc.option(
    fc.integer({ min: -8, max: 64 }).map((n) => n / 4),
    { nil: undefined },
  );
  const metric = fc
    .record({
      unit,
      ms,
      name: fc.constantFrom("visit", "buy", "error"),
      value: amount,
      sku: fc.constantFrom<Json>("x", 1, true, null),
    })
    .map((of) =>
      did(of.unit, of.name, of.ms, {
        ...(of.value === undefined ? {} : { value: of.value }),
        properties: { sku: of.sku, amount: of.value ?? "none" },
      }),
    );
  const round = fc.record({
    exposures: fc.array(exposure, { maxLength: 6 }),
    metrics: fc.array(metric, { maxLength: 12 }),
    isAgain: fc.boolean(),
  });
  // A few at a time: where a funnel looks on, every unit is brought in anew, and what else is wrong would not show.
  const metrics = fc.subarray([...METRICS], { maxLength: 3 });
  const subject = fc.constantFrom<AggregateRequest["subject"]>(
    { experiment: "checkout-test" },
    { experiment: "checkout-test" },
    { experiment: "checkout-test", isTriggered: true },
    { release: "r" },
    { holdout: { salt: "salted12", share: 400_000 } },
  );
  const request = fc.record({ ms, metrics, subject }).map(({ ms: at, metrics: few, subject: of }) => ({
    ...{ asOfMs: START_MS + 2 * DAY_MS + at, segments: ["plan"], metrics: few, subject: of },
  }));
  return fc.record({ rounds: fc.array(round, { minLength: 1, maxLength: 4 }), request });
}

const EVERY_KIND: readonly MetricQuery["value"][] = [
  { kind: "any", events: { name: "error" } },
  { kind: "count", events: { name: "visit", filters: [{ property: "sku", op: "in", value: ["x", 1] }] } },
  { kind: "sum", events: { name: "buy" }, cap: 12 },
  { kind: "mean", events: { name: "buy", valueProperty: "amount" } },
  {
    kind: "ratio",
    numerator: { of: "values", events: { name: "buy" } },
    denominator: { of: "events", events: { name: "visit" } },
  },
  { kind: "funnel", steps: [{ name: "visit" }, { name: "buy" }, { name: "visit" }] },
];

/** Every kind: as it is, and with a window, a covariate and a shift. */
const METRICS: readonly MetricQuery[] = EVERY_KIND.flatMap((value, at) => [
  metricQuery(value, { key: `plain-${at}` }),
  metricQuery(value, { key: `window-${at}`, window: { fromMs: HOUR_MS, toMs: DAY_MS }, covariateMs: DAY_MS, shift: 2.5 }),
]);
