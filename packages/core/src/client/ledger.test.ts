import type { EvaluationContext, Exposure } from "@belay/protocol";
import { seeded } from "@belay/testkit";
import { describe, expect, it } from "vitest";
import type { Outcome } from "../program.ts";
import { Tracked } from "../tracked.ts";
import { type Batch, type DropReason, halves, LEDGER_LIMITS, Ledger, type LedgerLimits } from "./ledger.ts";

const by = { path: "targetingKey", segments: ["targetingKey"] } as never;

function armOf(variant: string, experiment = "exp"): Outcome & { tracks: Tracked } {
  const tracks = new Tracked({ experiment, epoch: 1 }, variant, by);
  // The unit is whatever the test says it is; reading attributes is tested where it is done.
  tracks.unit = (context: EvaluationContext) => (context.targetingKey === undefined ? undefined : String(context.targetingKey));
  return { value: variant, variant, reason: "SPLIT", ruleId: "r1", errorCode: undefined, tracks, untracked: undefined, slot: 1 };
}

const A = armOf("a");
const B = armOf("b");

function ledgerOf(limits: Partial<LedgerLimits> = {}) {
  const drops: [DropReason, number][] = [];
  const exposed: unknown[] = [];
  let queued = 0;
  const ledger = new Ledger(
    { ...LEDGER_LIMITS, ...limits },
    {
      isOffline: false,
      now: () => 1_000,
      attributes: () => undefined,
      differs: () => true,
      queued: () => (queued += 1),
      exposed: (exposure) => exposed.push(exposure),
      dropped: (reason, count) => drops.push([reason, count]),
    },
  );
  const note = (unit: string, outcome = A): void => ledger.note("flag", outcome, outcome.tracks, { targetingKey: unit }, 7);
  return { ledger, note, drops, exposed, queuedCalls: () => queued };
}

const receipt = (batch: Batch, rejected: number[] = []) => ({
  accepted: batch.entries.length - rejected.length,
  duplicates: 0,
  rejected: rejected.map((index) => ({ list: "exposures" as const, index, code: "invalid_field", field: "unit" })),
});

describe("a first exposure", () => {
  it("is noted once for each unit and arm, with numbers from 1 without a gap", () => {
    const { ledger, note, exposed } = ledgerOf();
    for (let turn = 0; turn < 3; turn += 1) for (const unit of ["u1", "u2"]) for (const arm of [A, B]) note(unit, arm);
    const exposures = ledger.take(10, 10)?.entries.map((entry) => entry.exposure as Exposure) ?? [];
    expect(exposures.map(({ seq, unit, variant }) => [seq, unit, variant])).toEqual([
      [1, "u1", "a"],
      [2, "u1", "b"],
      [3, "u2", "a"],
      [4, "u2", "b"],
    ]);
    expect(exposures[0]).toEqual({
      seq: 1,
      timeMs: 1_000,
      flag: "flag",
      variant: "a",
      rule: "r1",
      experiment: "exp",
      epoch: 1,
      revision: 7,
      unit: "u1",
      differs: true,
    });
    expect(exposed).toHaveLength(4);
  });

  it("is another one in another epoch and another experiment", () => {
    const { ledger, note } = ledgerOf();
    const later = armOf("a");
    const nextEpoch = {
      ...later,
      tracks: Object.assign(new Tracked({ experiment: "exp", epoch: 2 }, "a", by), { unit: later.tracks.unit }),
    };
    note("u1", A);
    note("u1", nextEpoch);
    note("u1", armOf("a", "other"));
    expect(ledger.report().produced).toBe(3);
  });

  it("of a unit over 4,096 characters is counted as dropped, once, and never cut", () => {
    const { ledger, note, drops } = ledgerOf();
    for (let turn = 0; turn < 3; turn += 1) note("u".repeat(4_097));
    note("u".repeat(4_096));
    expect(ledger.report()).toEqual({ produced: 2, stored: 0, dropped: 1, queued: 1, rejected: 0 });
    expect(drops).toEqual([["unit_too_long", 1]]);
  });
});

describe("a full queue", () => {
  it("drops the newest, counts it for its arm, and takes the unit when there is room again", () => {
    const { ledger, note, drops } = ledgerOf({ events: 3 });
    for (const unit of ["u1", "u2", "u3"]) note(unit);
    note("u4", B);
    expect(ledger.report()).toEqual({ produced: 4, stored: 0, dropped: 1, queued: 3, rejected: 0 });
    expect(drops).toEqual([["queue_full", 1]]);
    const batch = ledger.take(10, 10) as Batch;
    expect(batch.entries.map((entry) => entry.exposure?.unit)).toEqual(["u1", "u2", "u3"]);
    expect(batch.arms).toEqual([
      { experiment: "exp", variant: "a", produced: 3, dropped: 0 },
      { experiment: "exp", variant: "b", produced: 1, dropped: 1 },
    ]);
    for (let turn = 0; turn < 100; turn += 1) note("u4", B);
    expect(ledger.report()).toEqual({ produced: 4, stored: 0, dropped: 1, queued: 3, rejected: 0 });
    ledger.settle(batch, receipt(batch));
    note("u4", B);
    expect(ledger.report()).toEqual({ produced: 4, stored: 3, dropped: 0, queued: 1, rejected: 0 });
    // On the wire totals only grow: that it was made up for shows in what is stored.
    expect(ledger.armLedgers()[1]).toEqual({ experiment: "exp", variant: "b", produced: 1, dropped: 1 });
    expect(drops).toEqual([["queue_full", 1]]);
  });

  it("counts a unit once for each arm: in 50,000 meetings with queues that fill and empty, loss is what units lost", () => {
    const dice = seeded(29);
    const { ledger, note } = ledgerOf({ events: 40 });
    const met = { a: new Set<string>(), b: new Set<string>() };
    const everDropped = { a: 0, b: 0 };
    let stored = 0;
    let batch: Batch | undefined;
    for (let turn = 0; turn < 50_000; turn += 1) {
      const [name, arm] = dice.pick([["a", A] as const, ["b", B] as const]);
      const unit = `user-${dice.below(3_000)}`;
      met[name].add(unit);
      const { dropped } = ledger.report();
      note(unit, arm);
      if (ledger.report().dropped > dropped) everDropped[name] += 1;
      if (dice.below(300) > 0) continue;
      batch ??= ledger.take(dice.below(60), 10);
      if (batch === undefined || dice.below(2) > 0) continue;
      stored += batch.entries.length;
      ledger.settle(batch, receipt(batch));
      batch = undefined;
    }
    const wire = ledger.armLedgers().sort((x, y) => (x.variant < y.variant ? -1 : 1));
    expect(wire).toEqual([
      { experiment: "exp", variant: "a", produced: met.a.size, dropped: everDropped.a },
      { experiment: "exp", variant: "b", produced: met.b.size, dropped: everDropped.b },
    ]);
    const { produced, queued, dropped } = ledger.report();
    expect(produced).toBe(met.a.size + met.b.size);
    expect(dropped).toBe(produced - stored - queued);
    // Some were made up for, others are still out.
    expect(dropped).toBeGreaterThan(500);
    expect(everDropped.a + everDropped.b).toBeGreaterThan(dropped + 500);
  });

  it("is full by bytes too: 16 MiB of large events are fewer than 1,000", () => {
    const { ledger } = ledgerOf();
    const properties = { json: { text: "x".repeat(16_000) }, length: 16_012 };
    for (let turn = 0; turn < 2_000; turn += 1) ledger.record("event", "u", 1, properties);
    const { queued, dropped, produced } = ledger.report();
    expect(queued).toBe(Math.floor((16 * 1_024 * 1_024) / (256 + 2 * (5 + 1 + 16_012))));
    expect(queued + dropped).toBe(produced);
  });
});

describe("the server's answer", () => {
  it("settles a batch but for the events it names", () => {
    const { ledger, note } = ledgerOf();
    for (const unit of ["u1", "u2", "u3"]) note(unit, unit === "u2" ? B : A);
    ledger.record("purchase", "u1", 5, undefined);
    const batch = ledger.take(10, 10) as Batch;
    ledger.settle(batch, receipt(batch, [1]));
    expect(ledger.report()).toEqual({ produced: 4, stored: 3, dropped: 1, queued: 0, rejected: 0 });
    expect(ledger.armLedgers()).toEqual([
      { experiment: "exp", variant: "a", produced: 2, dropped: 0 },
      { experiment: "exp", variant: "b", produced: 1, dropped: 1 },
    ]);
  });

  it("makes the arms' totals told: they ride along again only when they moved", () => {
    const { ledger, note } = ledgerOf();
    note("u1");
    const first = ledger.take(10, 10) as Batch;
    ledger.settle(first, receipt(first));
    note("u1", B);
    expect((ledger.take(10, 10) as Batch).arms).toEqual([{ experiment: "exp", variant: "b", produced: 1, dropped: 0 }]);
  });
});

describe("a batch that is too large", () => {
  it("is cut until single, counts first, and nothing is lost or doubled", () => {
    const { ledger, note } = ledgerOf();
    for (let n = 0; n < 500; n += 1) note(`u${n}`);
    ledger.count([{ flag: "flag", variant: "a", count: 9 }]);
    const whole = ledger.take(500, 10) as Batch;
    const parts: Batch[] = [];
    const cut = (batch: Batch): void => {
      const pair = halves(batch);
      if (pair === undefined) parts.push(batch);
      else pair.forEach(cut);
    };
    cut(whole);
    expect(parts).toHaveLength(501);
    expect(parts.flatMap((part) => part.entries.map((entry) => entry.exposure?.seq))).toEqual(
      Array.from({ length: 500 }, (_, n) => n + 1),
    );
    expect(parts.flatMap((part) => part.counts)).toEqual([{ flag: "flag", variant: "a", count: 9 }]);
    expect(new Set(parts.map((part) => part.name)).size).toBe(501);
  });
});

describe("the books", () => {
  it.each([1, 2, 3, 4, 5])("balance after each of 20,000 random entries, in all and for each arm (seed %i)", (seed) => {
    const dice = seeded(seed);
    const { ledger, note } = ledgerOf({ events: 200 });
    const open: Batch[] = [];
    const produced = new Map([
      ["a", 0],
      ["b", 0],
    ]);
    for (let turn = 0; turn < 20_000; turn += 1) {
      const what = dice.below(10);
      if (what < 6) {
        const arm = dice.pick([A, B]);
        note(`u${turn}`, arm);
        produced.set(arm.variant as string, (produced.get(arm.variant as string) ?? 0) + 1);
      } else if (what === 6) {
        const batch = ledger.take(dice.below(60), 5);
        if (batch !== undefined) open.push(batch);
      } else if (open.length > 0) {
        const [batch] = open.splice(dice.below(open.length), 1) as [Batch];
        if (what === 7) ledger.drop(batch, "refused");
        else ledger.settle(batch, receipt(batch, batch.entries.length > 0 && dice.fraction() < 0.2 ? [0] : []));
      }
      const report = ledger.report();
      if (report.stored + report.dropped + report.queued !== report.produced || report.queued > 200)
        expect(report).toBe("balanced");
    }
    const totals = Object.fromEntries(ledger.armLedgers().map((arm) => [arm.variant, arm.produced]));
    expect(totals).toEqual(Object.fromEntries(produced));
    expect(ledger.armLedgers().reduce((sum, arm) => sum + arm.dropped, 0)).toBe(ledger.report().dropped);
  });
});
