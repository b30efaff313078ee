import type { Guardrail, InterferenceRecord, SegmentRecord } from "@belay/protocol";
import { describe, expect, it } from "vitest";
import type { Epoch } from "../guardrails.ts";
import { onLine, pointOf } from "../placement.ts";
import { ERRORS, HOUR_MS, T0 } from "../release.fixture.ts";
import { attributeText } from "./attribute-text.ts";
import { interferenceRecords } from "./interference.ts";
import { KnownUnits } from "./known-units.ts";
import { segmentRecords } from "./segments.ts";

const SALT = "fixture";
const HALF: Epoch = { from: T0, ppm: 500_000, revision: 3 };
const LATENCY: Guardrail = { ...ERRORS, metric: "latency", measure: { kind: "values", event: "took", cap: 100, scale: 5 } };

function knownUnits(more: Partial<ConstructorParameters<typeof KnownUnits>[0]> = {}): KnownUnits {
  const usual = { segments: ["country"], guardrails: [ERRORS], placement: onLine(SALT), epochs: [HALF] };
  return new KnownUnits({ ...usual, ...more });
}

const armOf = (unit: string, ppm = 500_000): number => Number(pointOf(SALT, unit) < ppm);

function segmentsOf(known: KnownUnits, guardrails: readonly Guardrail[] = [ERRORS]): SegmentRecord[] {
  return segmentRecords(known.units, { segments: ["country"], guardrails, contrasts: onLine(SALT).contrasts });
}

describe("known units", () => {
  it("are a random part where there are too many: the same ones in whatever order they come, and as many of either arm", () => {
    const names = Array.from({ length: 10_000 }, (_, i) => `u${i}`);
    const remembered = (units: readonly string[]): { share: number; arms: number[] } => {
      const known = knownUnits({ unitsMax: 3_000 });
      for (const unit of units) known.expose({ unit, receivedAt: T0 }, armOf(unit));
      return { share: known.share, arms: [...known.units].map(({ arm }) => arm) };
    };
    const { share, arms } = remembered(names);
    expect([share, remembered([...names].reverse()).arms.length]).toEqual([0.25, arms.length]);
    // Within four standard deviations of a quarter, and of half of that.
    expect(Math.abs(arms.length - 2_500)).toBeLessThan(4 * Math.sqrt(10_000 * 0.25 * 0.75));
    expect(Math.abs(arms.filter((arm) => arm === 1).length - arms.length / 2)).toBeLessThan(2 * Math.sqrt(arms.length));
    expect(knownUnits().share).toBe(1);
  });

  it("keep their first arm and values, and count what they did from then on, once, for as long as they are in that arm", () => {
    const full: Epoch = { from: T0 + 2 * HOUR_MS, ppm: 1_000_000, revision: 9 };
    const known = knownUnits({ guardrails: [ERRORS, LATENCY], epochs: [HALF, full] });
    const [treated, control] = [1, 0].map((arm) => {
      return Array.from({ length: 99 }, (_, i) => `u${i}`).find((unit) => armOf(unit) === arm) ?? "";
    }) as [string, string];
    for (const unit of [treated, control]) {
      known.hear({ unit, receivedAt: T0 }, 0);
      known.expose({ unit, receivedAt: T0 + 5, attributes: { country: "DE" } }, armOf(unit));
      known.expose({ unit, receivedAt: T0 + 6, attributes: { country: "FR" } }, 1 - armOf(unit));
      known.hear({ unit, receivedAt: T0 + 7 }, 1);
      for (const value of [300, 5]) known.hear({ unit, receivedAt: T0 + 8, value }, 1);
      // Now everybody is treated: what control does is no longer control's.
      known.hear({ unit, receivedAt: full.from }, 0);
    }
    known.expose({ unit: "nobody", receivedAt: T0 }, -1);
    known.hear({ unit: "nobody", receivedAt: T0 }, 0);
    const one = { epoch: 0, at: T0 + 5, values: ["DE"], both: [] };
    expect([...known.units].map(({ outcomes, ...unit }) => ({ ...unit, outcomes: [...outcomes] }))).toEqual([
      { ...one, arm: 1, outcomes: [1, 100] },
      { ...one, arm: 0, outcomes: [undefined, 100] },
    ]);
  });

  it("read attributes as the event store does: the whole path first, nothing inherited", () => {
    const attributes = { plan: "pro", "a.b": 1, a: { b: 2, c: true, d: null, e: ["x"] }, n: 0 };
    const paths = ["plan", "a.b", "a.c", "a.d", "a.e", "a", "n", "none", "toString", "plan.length", "a.e.0"];
    expect(paths.map((path) => attributeText(attributes, path))).toEqual(["pro", "1", "true", "", "", "", "0", "", "", "", ""]);
  });
});

describe("segments", () => {
  it("show the twenty values that most units have, and all others together", () => {
    const known = knownUnits();
    for (let i = 0; i < 25; i += 1) {
      // Value 00 has 30 units, 01 has 29, and so on.
      for (let of = 0; of < 30 - i; of += 1) {
        const country = String(i).padStart(2, "0");
        known.expose({ unit: `${i}-${of}`, receivedAt: T0, attributes: { country } }, of % 2);
      }
    }
    const found = segmentsOf(known).map(({ value, treated, control }) => [value, treated.units + control.units]);
    expect(found).toEqual([
      ...Array.from({ length: 20 }, (_, i) => [String(i).padStart(2, "0"), 30 - i]),
      ["(other)", 10 + 9 + 8 + 7 + 6],
    ]);
    expect(segmentsOf(known)[0]?.effect).toEqual({ status: "insufficient", reason: "too-few-events" });
  });

  it("find harm where it is, and say so of no other", () => {
    const known = knownUnits();
    const met = new Map<string, number>();
    for (let i = 0; i < 4_000; i += 1) {
      const [unit, country] = [`u${i}`, i % 2 === 0 ? "DE" : "FR"];
      const arm = armOf(unit);
      known.expose({ unit, receivedAt: T0, attributes: { country } }, arm);
      const count = (met.get(`${country} ${arm}`) ?? 0) + 1;
      met.set(`${country} ${arm}`, count);
      // Every twentieth fails; of those treated in FR every fifth.
      if (count % (arm === 1 && country === "FR" ? 5 : 20) === 0) known.hear({ unit, receivedAt: T0 + 1 }, 0);
    }
    const [de, fr] = segmentsOf(known);
    expect([de?.value, fr?.value]).toEqual(["DE", "FR"]);
    expect([Number(de?.adjustedP) > 0.05, Number(fr?.adjustedP) < 1e-6]).toEqual([true, true]);
    const rate = ({ counted, units }: { counted: number; units: number }): number => counted / units;
    // One stage: the ratio of the two rates.
    expect(fr?.effect).toMatchObject({ value: expect.closeTo(rate(fr?.treated ?? NONE) / rate(fr?.control ?? NONE) - 1, 9) });
  });
});

const NONE = { units: 0, counted: 0 };

describe("interference", () => {
  const OTHERS = [
    { kind: "experiment", key: "prices", arms: ["high", "low"] },
    { kind: "release", key: "banner", arms: ["off", "on"] },
  ] as const;

  /** 8,000 units in both experiments at one half each; a share of those in both treatments fails besides one in ten of all. */
  function recordsOf(extra: number): InterferenceRecord[] {
    const known = knownUnits({ segments: [], guardrails: [LATENCY, ERRORS] });
    const units = Array.from({ length: 8_000 }, (_, i) => `u${i}`);
    for (const unit of units) known.expose({ unit, receivedAt: T0 }, armOf(unit));
    for (const unit of units) known.meet({ unit, receivedAt: T0 + 10 }, 0, Number(pointOf("other", unit) < 500_000));
    for (const unit of units.slice(0, 50)) known.meet({ unit, receivedAt: T0 }, 1, 1);
    for (const unit of units) {
      const chance = pointOf("fails", unit) / 1_000_000;
      const isBoth = armOf(unit) === 1 && pointOf("other", unit) < 500_000;
      // What came before a unit was in both counts for neither.
      known.hear({ unit, receivedAt: T0 + 5 }, 1);
      if (chance < 0.1 + (isBoth ? extra : 0)) known.hear({ unit, receivedAt: T0 + 20 }, 1);
    }
    return interferenceRecords(known.units, {
      guardrails: [LATENCY, ERRORS],
      arms: ["off", "on"],
      isRamp: false,
      others: OTHERS,
    });
  }

  it("is found where two changes together do what neither does alone, to the number, and not where they add up", () => {
    const [prices, banner, ...more] = recordsOf(0.1);
    expect([more, banner?.effect, banner?.key]).toEqual([[], { status: "insufficient", reason: "too-few-units" }, "banner"]);
    expect(prices).toMatchObject({ kind: "experiment", key: "prices", metric: "errors", treatment: "low" });
    const { cc, ct, tc, tt } = prices?.cells ?? { cc: NONE, ct: NONE, tc: NONE, tt: NONE };
    expect(cc.units + ct.units + tc.units + tt.units).toBe(8_000);
    const share = ({ counted, units }: { counted: number; units: number }): number => counted / units;
    const effect = share(tt) - share(tc) - (share(ct) - share(cc));
    expect(prices?.effect).toMatchObject({ status: "ok", value: expect.closeTo(effect, 12) });
    expect([Math.abs(effect - 0.1) < 0.05, Number(prices?.adjustedP) < 0.01]).toEqual([true, true]);
    const [none] = recordsOf(0);
    expect(Number(none?.adjustedP)).toBeGreaterThan(0.05);
  });
});
