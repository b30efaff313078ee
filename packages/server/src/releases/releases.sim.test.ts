import { describe, expect, it } from "vitest";
import { simulateWeeks, type Weeks } from "./simulated-weeks.fixture.ts";

/** More seeds: `BELAY_SIM_SEEDS=200 npx vitest run releases.sim`. */
const SEEDS = Array.from({ length: Number(process.env["BELAY_SIM_SEEDS"] ?? 3) }, (_, at) => at + 1);

describe("three weeks of a release, from a seed", { timeout: 300_000 }, () => {
  const all: Weeks[] = [];

  it.each(SEEDS)("holds after every step with seed %i", async (seed) => {
    const weeks = await simulateWeeks(seed);
    all.push(weeks);
    expect(weeks.commands).toBeGreaterThan(6);
    // Harm, where there is any, is taken back; where there is none nothing is.
    expect(weeks.log.some((line) => line.includes("rolling-back guardrail-breach"))).toBe(seed % 3 === 0);
    if (seed % 3 === 0) expect(weeks.hoursToRollback).toBeLessThan(24);
  });

  it("saw all of it", () => {
    const sum = (of: (weeks: Weeks) => number): number => all.reduce((total, weeks) => total + of(weeks), 0);
    expect(sum(({ climbs }) => climbs)).toBeGreaterThan(5);
    expect(sum(({ kills }) => kills)).toBeGreaterThan(3);
    expect(sum(({ raisesRefused }) => raisesRefused)).toBeGreaterThan(3);
    expect(sum(({ lowered }) => lowered)).toBeGreaterThan(0);
    expect(all.filter(({ state }) => state === "done").length).toBeGreaterThan(0);
  });

  it.each(SEEDS)("holds where it ramps an experiment of which one treatment may do harm, with seed %i", async (seed) => {
    const weeks = await simulateWeeks(seed, "experiment");
    const isHarmful = seed % 3 === 0;
    expect(weeks.log.some((line) => line.includes("guardrail-breach errors in none"))).toBe(isHarmful);
    if (isHarmful) expect(weeks.hoursToRollback).toBeLessThan(48);
    else expect(weeks.climbs).toBeGreaterThan(0);
  });

  it("writes the same log from the same seed, byte for byte", async () => {
    const first = all[2] ?? (await simulateWeeks(3));
    const again = await simulateWeeks(3);
    expect(first.log.length).toBeGreaterThan(30);
    expect(again.log.join("\n")).toBe(first.log.join("\n"));
  });
});
