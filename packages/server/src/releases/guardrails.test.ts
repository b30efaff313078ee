import type { Guardrail } from "@belay/protocol";
import { seeded } from "@belay/testkit";
import { describe, expect, it } from "vitest";
import { type Epoch, ReleaseWatch } from "./guardrails.ts";
import { onLine, pointOf } from "./placement.ts";
import { ERRORS, HOUR_MS, T0 } from "./release.fixture.ts";

const LATENCY: Guardrail = {
  metric: "latency",
  measure: { kind: "values", event: "request", cap: 1_000, scale: 20 },
  harm: "increase",
  margin: 50,
  onBreach: "rollback",
  staleAfterS: 600,
};
const SALT = "fixture";
const half: Epoch = { from: T0, ppm: 500_000, revision: 3 };

/** Names of units on either side of a share. */
function units(count: number, ppm: number, isTreated: boolean): string[] {
  const found: string[] = [];
  for (let i = 0; found.length < count; i += 1) if (pointOf(SALT, `u${i}`) < ppm === isTreated) found.push(`u${i}`);
  return found;
}

function watchOf(guardrails: readonly Guardrail[], epochs: readonly Epoch[] = [half]): ReleaseWatch {
  return new ReleaseWatch({ placement: onLine(SALT), guardrails, epochs });
}

describe("failures", () => {
  it("counts the first of each unit, so that one noisy person is no evidence", () => {
    const [noisy = ""] = units(1, 50_000, true);
    const watch = watchOf([ERRORS], [{ ...half, ppm: 50_000 }]);
    for (let i = 0; i < 1_000; i += 1) watch.noteMetric({ name: "error", unit: noisy }, T0);
    const once = watchOf([ERRORS], [{ ...half, ppm: 50_000 }]);
    once.noteMetric({ name: "error", unit: noisy }, T0);
    expect(watch.read()).toEqual(once.read());
    expect(watch.read().guardrails[0]?.verdict).toBe("quiet");
  });

  it("pauses at an evidence of 20 and rolls back at 100 a guardrail", () => {
    const treated = units(20, 50_000, true);
    const verdicts = (guardrails: readonly Guardrail[]): string[] => {
      const watch = watchOf(guardrails, [{ ...half, ppm: 50_000 }]);
      return treated.map((unit) => {
        watch.noteMetric({ name: "error", unit }, T0);
        const { verdict, logE } = watch.read().guardrails[0] as { verdict: string; logE: number };
        expect(verdict).toBe(
          logE >= Math.log(100 * guardrails.filter(({ dryRun }) => dryRun !== true).length)
            ? "rollback"
            : logE >= Math.log(20)
              ? "pause"
              : "quiet",
        );
        return verdict;
      });
    };
    const another: Guardrail = { ...ERRORS, metric: "other", measure: { kind: "failures", event: "other" } };
    const first = (list: readonly string[], verdict: string): number => list.indexOf(verdict);
    const [alone, two, dry] = [verdicts([ERRORS]), verdicts([ERRORS, another]), verdicts([ERRORS, { ...another, dryRun: true }])];
    // Three failures, all of the 5 % that are treated, are worth more than 20, a fourth more than 100, a fifth more than 200.
    expect([first(alone, "pause"), first(alone, "rollback"), first(two, "rollback")]).toEqual([2, 3, 4]);
    expect(dry).toEqual(alone);
  });

  it("takes no evidence where nobody, or everybody, is treated", () => {
    for (const ppm of [0, 1_000_000]) {
      const watch = watchOf([ERRORS], [{ ...half, ppm }]);
      for (const unit of units(50, 500_000, true)) watch.noteMetric({ name: "error", unit }, T0 + 5);
      expect(watch.read().guardrails).toEqual([{ metric: "errors", verdict: "quiet", logE: 0, lastEventAt: T0 + 5 }]);
    }
  });

  it("counts the same in whatever order it comes, as when a clock is set back or another server tells late", () => {
    const dice = seeded(7);
    const events = units(200, 500_000, true).map((unit, at) => ({
      unit: at % 3 === 0 ? `c${at}` : unit,
      at: T0 + dice.below(30) * HOUR_MS,
    }));
    const count = (list: typeof events, isReadOften: boolean): ReleaseWatch => {
      const watch = watchOf([ERRORS], [half, { from: T0 + 12 * HOUR_MS, ppm: 400_000, revision: 4 }]);
      for (const { unit, at } of list) {
        watch.noteMetric({ name: "error", unit }, at);
        if (isReadOften) watch.read();
      }
      return watch;
    };
    const inOrder = count(
      events.toSorted((a, b) => a.at - b.at),
      false,
    ).read().guardrails[0];
    const mixed = count(events, true).read().guardrails[0];
    expect(mixed?.logE).toBeCloseTo(inOrder?.logE ?? Number.NaN, 9);
    expect({ ...mixed, logE: 0 }).toEqual({ ...inOrder, logE: 0 });
    expect(inOrder?.logE).not.toBe(0);
  });

  it("lets a stage be left once non-inferior at its own share, not by what came before", () => {
    const watch = watchOf([ERRORS]);
    const fail = (count: number, at: number, prefix: string): void => {
      for (let i = 0; i < count; i += 1) watch.noteMetric({ name: "error", unit: `${prefix}${i}` }, at);
    };
    fail(40, T0, "a");
    expect(watch.read().guardrails[0]?.isNonInferior).toBe(false);
    fail(2_000, T0, "b");
    expect(watch.read().guardrails[0]?.isNonInferior).toBe(true);
    watch.follow([half, { from: T0 + HOUR_MS, ppm: 400_000, revision: 4 }]);
    expect(watch.read().guardrails[0]?.isNonInferior).toBeUndefined();
    fail(2_000, T0 + HOUR_MS, "c");
    expect(watch.read().guardrails[0]?.isNonInferior).toBe(true);
  });
});

describe("values", () => {
  const day = (shift: number, hours: number, seed: number, from = 0): ReleaseWatch => {
    const dice = seeded(seed);
    const watch = watchOf([LATENCY], [{ ...half, ppm: 50_000 }]);
    for (let i = 0; i < hours * 2_000; i += 1) {
      const unit = `v${seed}-${i}`;
      const isTreated = pointOf(SALT, unit) < 50_000;
      // Exponential, mean 100: as skewed as latencies are.
      const value = -100 * Math.log(1 - dice.fraction()) + (isTreated && i >= from * 2_000 ? shift : 0);
      watch.noteMetric({ name: "request", unit, value }, T0 + (i / 2_000) * HOUR_MS);
    }
    return watch;
  };

  it("needs fifty treated units before it says anything", () => {
    const watch = watchOf([LATENCY]);
    for (const unit of [...units(49, 500_000, true), ...units(60, 500_000, false)]) {
      watch.noteMetric({ name: "request", unit, value: pointOf(SALT, unit) < 500_000 ? 900 : 1 }, T0);
    }
    expect(watch.read().guardrails[0]?.logE).toBe(0);
  });

  it("finds what got slower, also when it began late, and lets pass what did not", () => {
    expect(day(60, 2, 1).read().guardrails[0]?.verdict).toBe("rollback");
    expect(day(60, 14, 2, 12).read().guardrails[0]?.verdict).toBe("rollback");
    const fine = day(0, 24, 3).read().guardrails[0];
    expect([fine?.verdict, fine?.isNonInferior]).toEqual(["quiet", true]);
  });

  it("takes the cap for more, and passes over events without a value", () => {
    const watch = watchOf([LATENCY]);
    const capped = watchOf([LATENCY]);
    for (const unit of [...units(60, 500_000, true), ...units(60, 500_000, false)]) {
      const value = pointOf(SALT, unit) < 500_000 ? 5_000 + (unit.length % 3) : pointOf(SALT, unit) / 10_000;
      watch.noteMetric({ name: "request", unit }, T0);
      watch.noteMetric({ name: "request", unit, value }, T0);
      capped.noteMetric({ name: "request", unit, value: Math.min(value, 1_000) }, T0);
    }
    expect(watch.read()).toEqual(capped.read());
  });
});

describe("how long until it can be told", () => {
  const MINUTE_MS = 60_000;
  const [treated, control] = [units(4_000, 500_000, true), units(4_000, 500_000, false)];

  /** One unit a minute and arm, alike in both: what the watch says after two hours, and when it was told. */
  function alike(
    guardrail: Guardrail,
    eventOf: (unit: string, minute: number) => { name: string; unit: string; value?: number },
  ) {
    const watch = watchOf([guardrail]);
    let predicted: number | undefined;
    for (let minute = 0; minute < 4_000; minute += 1) {
      for (const unit of [treated[minute] ?? "", control[minute] ?? ""]) {
        watch.noteMetric(eventOf(unit, minute), T0 + minute * MINUTE_MS);
      }
      const { isNonInferior, daysToTell } = watch.read().guardrails[0] as { isNonInferior?: boolean; daysToTell?: number };
      if (minute < 60) expect(daysToTell).toBeUndefined();
      if (minute === 120) predicted = daysToTell;
      if (isNonInferior === true) return { predicted: 120 + 1_440 * (predicted ?? Number.NaN), told: minute, daysToTell };
    }
    throw new Error("It was never told.");
  }

  it("is said to the minute of failures that come alike in both arms, and then is over", () => {
    const { predicted, told, daysToTell } = alike({ ...ERRORS, margin: 0.3 }, (unit) => ({ name: "error", unit }));
    expect([told > 120, Math.abs(predicted - told) <= 2, daysToTell]).toEqual([true, true, 0]);
    const fewer = alike({ ...ERRORS, margin: 0.3, harm: "decrease" }, (unit) => ({ name: "error", unit }));
    expect(Math.abs(fewer.predicted - fewer.told)).toBeLessThanOrEqual(2);
  });

  it("is said of values within a few hundredths: their variance is an estimate", () => {
    const value = (minute: number): number => 200 + 40 * ((minute % 7) - 3);
    const latency = { ...LATENCY, margin: 10 };
    const { predicted, told } = alike(latency, (unit, minute) => ({ name: "request", unit, value: value(minute) }));
    expect([told > 120, Math.abs(predicted / told - 1) < 0.05]).toEqual([true, true]);
  });

  it("cannot be said before anything was counted, nor of a margin that no time reaches", () => {
    expect(watchOf([ERRORS]).read().guardrails[0]).not.toHaveProperty("daysToTell");
    const watch = watchOf([{ ...ERRORS, margin: 1e-6 }]);
    for (const unit of [...control.slice(0, 10), ...treated.slice(0, 10)]) {
      watch.noteMetric({ name: "error", unit }, T0 + 2 * HOUR_MS);
    }
    expect(watch.read().guardrails[0]).not.toHaveProperty("daysToTell");
  });
});

describe("events chosen by properties", () => {
  const onPhones: Guardrail = {
    ...ERRORS,
    metric: "phone-errors",
    measure: { kind: "failures", event: "error", filters: [{ property: "os", op: "in", value: ["ios", "android"] }] },
  };
  const totals: Guardrail = {
    ...LATENCY,
    metric: "totals",
    measure: { kind: "values", event: "order", valueProperty: "total", cap: 400, scale: 5 },
    harm: "decrease",
  };
  const systems = ["ios", "windows", "android", 7, undefined];
  const happened = [...units(300, 500_000, true), ...units(200, 500_000, false)].flatMap((unit, at) => {
    const os = systems[at % systems.length];
    const total = 30 + pointOf("total", unit) / 20_000 - (pointOf(SALT, unit) < 500_000 ? 20 : 0);
    return [
      // What is not chosen comes first, and uses nothing up.
      { name: "error", unit, properties: { os: "windows" } },
      { name: "error", unit, ...(os === undefined ? {} : { properties: { os } }) },
      { name: "order", unit, value: 1 },
      { name: "order", unit, value: 1, properties: { total } },
    ];
  });

  it("count as if the others had never come, and values are read where the guardrail says", () => {
    const watch = watchOf([onPhones, totals, ERRORS]);
    for (const [at, event] of happened.entries()) watch.noteMetric(event, T0 + at);
    const plain = watchOf([
      { ...ERRORS, metric: "phone-errors" },
      { ...totals, measure: { ...LATENCY.measure, ...ORDER } },
      ERRORS,
    ]);
    for (const [at, { name, unit, properties }] of happened.entries()) {
      const { os, total } = (properties ?? {}) as { os?: unknown; total?: number };
      if (name === "order" && total !== undefined) plain.noteMetric({ name, unit, value: total }, T0 + at);
      if (os === "ios" || os === "android") plain.noteMetric({ name, unit }, T0 + at);
    }
    const [phones, orders, all] = watch.read().guardrails;
    const [asPhones, asOrders] = plain.read().guardrails;
    expect([phones?.logE, phones?.lastEventAt]).toEqual([asPhones?.logE, asPhones?.lastEventAt]);
    expect([orders?.logE, orders?.verdict]).toEqual([asOrders?.logE, "rollback"]);
    expect(phones?.logE).toBeGreaterThan(1);
    // 500 units fail, 200 of them on phones.
    expect(all?.logE).not.toBe(phones?.logE);
    expect(watch.events).toEqual(["error", "order"]);
  });

  it("are told to other watches as they were chosen, each guardrail its own", () => {
    const there = watchOf([ERRORS, totals, onPhones]);
    const told: string[] = [];
    const here = new ReleaseWatch({
      placement: onLine(SALT),
      guardrails: [onPhones, totals, ERRORS],
      epochs: [half],
      onSighting: (sighting) => {
        if (sighting.kind === "event") told.push(sighting.name);
        there.noteSighting(sighting);
      },
    });
    for (const event of happened) here.noteMetric(event, T0);
    there.noteSighting(here.heard);
    const [a, b, c] = there.read().guardrails;
    expect([c, b, a]).toEqual(here.read().guardrails);
    const count = (name: string): number => told.filter((one) => one === name).length;
    expect([count("error"), count("order"), told.length]).toEqual([500, 0, 500 + 200 + 500]);
  });
});

const ORDER = { event: "order", cap: 400, scale: 5 } as const;

describe("exposures", () => {
  it("counts each unit once an epoch, and tells arms of other sizes than designed", () => {
    const epochs: readonly Epoch[] = [half, { from: T0 + HOUR_MS, ppm: 500_000, revision: 8 }];
    const watch = watchOf([ERRORS], epochs);
    for (let i = 0; i < 2_000; i += 1) {
      for (let again = 0; again < 2; again += 1) watch.noteExposure({ unit: `e${i}`, epoch: 8 }, 1 - (i % 2), T0 + HOUR_MS + i);
    }
    expect(watch.read()).toMatchObject({ units: 1_000, isMismatched: false, exposuresAt: T0 + HOUR_MS + 1_999 });
    for (let i = 0; i < 1_000; i += 1) watch.noteExposure({ unit: `f${i}`, epoch: 8 }, 0, T0 + HOUR_MS);
    expect(watch.read()).toMatchObject({ units: 1_000, isMismatched: true });
  });

  it("does not take sizes beyond half for a mismatch when the smaller control was designed", () => {
    const watch = watchOf([ERRORS], [{ ...half, ppm: 900_000 }]);
    for (let i = 0; i < 10_000; i += 1) watch.noteExposure({ unit: `e${i}`, epoch: 3 }, Number(i % 10 !== 0), T0);
    expect(watch.read()).toMatchObject({ units: 9_000, isMismatched: false });
  });
});

it("changes nothing when everything is brought twice", () => {
  const events = Array.from({ length: 500 }, (_, i) => ({ name: i % 2 === 0 ? "error" : "request", unit: `t${i}`, value: i }));
  const read = (times: number): unknown => {
    const watch = watchOf([ERRORS, LATENCY]);
    for (let time = 0; time < times; time += 1) {
      for (const event of events) watch.noteMetric(event, T0);
      for (const { unit } of events) watch.noteExposure({ unit, epoch: 3 }, Number(pointOf(SALT, unit) < 500_000), T0);
    }
    return watch.read();
  };
  expect(read(2)).toEqual(read(1));
});
