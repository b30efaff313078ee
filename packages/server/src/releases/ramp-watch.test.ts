import { SPACE_PPM } from "@belay/protocol";
import { describe, expect, it } from "vitest";
import { type Epoch, type Reading, ReleaseWatch } from "./guardrails.ts";
import { only } from "./placement.ts";
import { PLACED } from "./ramp.fixture.ts";
import { ERRORS, HOUR_MS, T0 } from "./release.fixture.ts";
import type { Sighting } from "./sighting.ts";

const TENTH: Epoch = { from: T0, ppm: 100_000, revision: 3 };
const HALF: Epoch = { from: T0 + HOUR_MS, ppm: 500_000, revision: 4 };
const [CONTROL, NONE, SHORT] = [0, 1, 2];

const watchOf = (epochs: readonly Epoch[] = [TENTH], placement = PLACED): ReleaseWatch =>
  new ReleaseWatch({ placement, guardrails: [ERRORS], epochs });

/** Units of an arm that a share lets in. */
function unitsOf(arm: number, count: number, ppm = TENTH.ppm): string[] {
  const found: string[] = [];
  for (let at = 0; found.length < count; at += 1) {
    const mark = PLACED.markOf(`u${at}`);
    if (mark.point < ppm && mark.arm === arm) found.push(`u${at}`);
  }
  return found;
}

const fail = (watch: ReleaseWatch, units: readonly string[], at = T0): void => {
  for (const unit of units) watch.noteMetric({ name: "error", unit }, at);
};
const first = (watch: ReleaseWatch): Reading["guardrails"][number] => {
  const [fact] = watch.read().guardrails;
  if (fact === undefined) throw new Error("a guardrail");
  return fact;
};

describe("the watch over an experiment", () => {
  it("finds harm in one treatment beside one that does none, and names it", () => {
    const [watch, none, short] = [watchOf(), ...PLACED.contrasts.map((one) => watchOf([TENTH], only(PLACED, one)))];
    for (const each of [watch, short, none] as ReleaseWatch[]) {
      fail(each, unitsOf(CONTROL, 10));
      fail(each, unitsOf(SHORT, 5));
      fail(each, unitsOf(NONE, 30));
    }
    const [fact, ofShort, ofNone] = [watch, short, none].map((each) => first(each as ReleaseWatch));
    expect([fact?.verdict, fact?.treatment, ofShort?.verdict, ofNone?.verdict]).toEqual([
      "rollback",
      "none",
      "quiet",
      "rollback",
    ]);
    expect(fact?.logE).toBe(ofNone?.logE);
  });

  it("goes back at 100 for each treatment: the chance of a false rollback is shared", () => {
    const watch = watchOf();
    const seen = unitsOf(NONE, 15).map((unit) => {
      fail(watch, [unit]);
      const { logE, verdict } = first(watch);
      expect(verdict).toBe(logE >= Math.log(200) ? "rollback" : logE >= Math.log(20) ? "pause" : "quiet");
      return verdict;
    });
    expect([seen[0], seen.includes("pause"), seen.at(-1)]).toEqual(["quiet", true, "rollback"]);
  });

  it("counts nobody whom the share keeps out, and each of them once they are in", () => {
    const watch = watchOf();
    const all = Array.from({ length: 300 }, (_, at) => `u${at}`);
    const isIn = (unit: string, ppm: number): boolean => PLACED.markOf(unit).point < ppm;
    const isOut = all.filter((unit) => !isIn(unit, TENTH.ppm));
    fail(watch, isOut);
    expect([first(watch).logE, first(watch).lastEventAt]).toEqual([0, T0]);
    const counted = (units: readonly string[], at: number): number =>
      units.filter((unit) => watch.noteMetric({ name: "error", unit }, at)).length;
    watch.follow([TENTH, HALF]);
    expect(counted(isOut, HALF.from)).toBe(isOut.filter((unit) => isIn(unit, HALF.ppm)).length);
    expect(counted(all, HALF.from)).toBe(all.filter((unit) => isIn(unit, TENTH.ppm)).length);
    expect(counted(all, HALF.from)).toBe(0);
  });

  it("still compares its arms once everybody is in", () => {
    const watch = watchOf([{ ...TENTH, ppm: SPACE_PPM }]);
    fail(watch, unitsOf(NONE, 30, SPACE_PPM));
    expect(first(watch)).toMatchObject({ verdict: "rollback", treatment: "none" });
  });

  it("lets a stage be left by what was seen at its own share, in every treatment", () => {
    const watch = watchOf();
    const alike = (count: number, ppm: number, at: number): void => {
      fail(watch, unitsOf(CONTROL, 2 * count, ppm), at);
      fail(watch, unitsOf(SHORT, count, ppm), at);
      fail(watch, unitsOf(NONE, count, ppm), at);
    };
    alike(400, TENTH.ppm, T0);
    expect(first(watch).isNonInferior).toBe(true);
    watch.follow([TENTH, HALF]);
    expect(first(watch).isNonInferior).toBeUndefined();
    fail(watch, unitsOf(CONTROL, 2_500, HALF.ppm), HALF.from);
    fail(watch, unitsOf(SHORT, 1_200, HALF.ppm), HALF.from);
    expect(first(watch).isNonInferior).toBe(true);
    fail(watch, unitsOf(NONE, 2_500, HALF.ppm), HALF.from);
    expect(first(watch).isNonInferior).toBe(false);
  });

  it("counts the units of all treatments, and tells arms of other sizes than the split's", () => {
    const watch = watchOf();
    const expose = (arm: number, count: number, name: string): void => {
      for (let at = 0; at < count; at += 1) watch.noteExposure({ unit: `${name}${at}`, epoch: 3 }, arm, T0 + 9);
    };
    expose(CONTROL, 2_000, "c");
    expose(SHORT, 1_000, "s");
    expose(NONE, 1_000, "n");
    // What an SDK recorded under a variant that is none of its arms is none of its units.
    expose(-1, 5_000, "x");
    expose(3, 5_000, "y");
    expect(watch.read()).toMatchObject({ units: 2_000, isMismatched: false, exposuresAt: T0 + 9 });
    expose(NONE, 1_500, "m");
    expect(watch.read()).toMatchObject({ units: 3_500, isMismatched: true });
  });

  it("tells other servers what they need to know the same, though no name leaves it", () => {
    const told: Sighting[] = [];
    const here = new ReleaseWatch({
      placement: PLACED,
      guardrails: [ERRORS],
      epochs: [TENTH],
      onSighting: (sighting) => told.push(sighting),
    });
    fail(here, unitsOf(CONTROL, 10));
    fail(here, unitsOf(NONE, 20));
    for (const [at, unit] of unitsOf(SHORT, 50).entries()) here.noteExposure({ unit, epoch: 3 }, SHORT, T0 + at);
    const there = watchOf();
    for (const sighting of told) there.noteSighting(sighting);
    expect(there.read()).toEqual(here.read());
    expect([told.length, /"u\d/.test(JSON.stringify(told))]).toEqual([80, false]);
  });
});
