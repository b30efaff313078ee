import { compile } from "@belay/core";
import { SPACE_PPM } from "@belay/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { admit } from "./exposure.ts";
import { phasesOf } from "./placement.ts";
import { ARMS, EXPERIMENT, flagOf, inside, PLACED } from "./ramp.fixture.ts";

const NAMES = ["long", "none", "short"];
const units = Array.from({ length: 400 }, (_, at) => `unit-${at}`);

/** The arm in which SDKs record each unit; -1: none. */
function recorded(ppm: number): number[] {
  const targeting = admit(inside(0), { experiment: EXPERIMENT, arms: ARMS, ppm });
  const ruleset = compile({
    format: 1,
    project: "p",
    environment: "e",
    revision: 1,
    flags: { checkout: flagOf(targeting) },
    segments: {},
    spaces: {},
  });
  return units.map((unit) => {
    const { tracks, variant } = ruleset.peek("checkout", { targetingKey: unit });
    return tracks === undefined ? -1 : NAMES.indexOf(variant ?? "");
  });
}

const ladders = fc
  .array(fc.integer({ min: 0, max: SPACE_PPM }), { minLength: 1, maxLength: 6 })
  .map((shares) => shares.sort((a, b) => a - b));

describe("units of an experiment that is ramped", () => {
  it("are placed where SDKs put and record them, at every share", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: SPACE_PPM }), (ppm) => {
        const placed = units.map((unit) => {
          const { point, arm = -1 } = PLACED.markOf(unit);
          return point < ppm ? arm : -1;
        });
        expect(placed).toEqual(recorded(ppm));
      }),
      { numRuns: 50 },
    );
  });

  it("never change arm, and never leave, on any ladder; those who came in come back after any lowering", () => {
    fc.assert(
      fc.property(ladders, fc.integer({ min: 0, max: SPACE_PPM }), (ladder, lowered) => {
        let before = units.map(() => -1);
        for (const ppm of ladder) {
          const here = recorded(ppm);
          before.forEach((arm, at) => {
            if (arm !== -1) expect(here[at]).toBe(arm);
          });
          // Lowered by hand, whoever is still in is where they were; and then it climbs on.
          recorded(Math.min(ppm, lowered)).forEach((arm, at) => {
            if (arm !== -1) expect(arm).toBe(here[at]);
          });
          before = here;
        }
      }),
      { numRuns: 50 },
    );
  });

  it("are compared with control, each treatment by itself, among those who are in", () => {
    const sides = (ppm: number): unknown[] =>
      [0, 1, 2, undefined].map((arm) => {
        const mark = { point: 300_000, id: "x", ...(arm === undefined ? {} : { arm }) };
        return PLACED.contrasts.map(({ treatment, sideOf }) => {
          const side = sideOf(mark, ppm);
          return side === undefined ? "" : `${side.isTreated ? treatment : "control"} ${side.share.toFixed(4)}`;
        });
      });
    expect(sides(300_001)).toEqual([
      ["control 0.3333", "control 0.3333"],
      ["none 0.3333", ""],
      ["", "short 0.3333"],
      ["", ""],
    ]);
    expect(sides(300_000)).toEqual([0, 1, 2, 3].map(() => ["", ""]));
    expect([PLACED.sizesAt(0), PLACED.sizesAt(1), PLACED.sizesAt(SPACE_PPM)]).toEqual([[], [0.5, 0.25, 0.25], [0.5, 0.25, 0.25]]);
  });

  it("are of phases as long as its stages, with the weights of each", () => {
    const from = "2026-11-22T12:00:00.000Z";
    const epochs = [
      { stage: 0, from, percentage: 1, revision: 7 },
      { stage: 1, from, percentage: 50, revision: 9 },
    ];
    expect(phasesOf({ epochs, arms: ARMS })).toEqual([
      { epoch: 7, from, weights: { long: 0.005, none: 0.0025, short: 0.0025 } },
      { epoch: 9, from, weights: { long: 0.25, none: 0.125, short: 0.125 } },
    ]);
  });
});
