import { describe, expect, it } from "vitest";
import { type Day, minutesToRollback, minutesToTakeBack, rollsBackAlikeOrders, WEATHERS } from "./guardrail-days.fixture.ts";

/** `full`: the runs behind the figures of `docs/releases.md`; otherwise a quick set of the same days. */
const IS_FULL = process.env["BELAY_SIMULATE"] === "full";
const SEED = 20_261_122;
const steady = WEATHERS["steady base rate"] as Day["weather"];

const FALSE_ALARMS = Object.entries(WEATHERS).flatMap(([name, weather]) =>
  [0.01, 0.05, 0.1].map((share) => ({ name, share, day: { share, weather, ratio: 1, from: 0 } })),
);

/** Median minutes allowed, by size of harm and share treated. */
const DETECTIONS = [
  { ratio: 5, from: 0, share: 0.01, max: 18 },
  { ratio: 5, from: 0, share: 0.05, max: 5 },
  { ratio: 5, from: 0, share: 0.1, max: 3 },
  { ratio: 1.5, from: 0, share: 0.01, max: 560 },
  { ratio: 1.5, from: 0, share: 0.05, max: 125 },
  { ratio: 1.5, from: 0, share: 0.1, max: 70 },
  { ratio: 5, from: 720, share: 0.05, max: 8 },
];

/** Median minutes allowed, by how many are in the experiment: a quarter of them has the harmful treatment, a half control. */
const RAMPS = [
  { share: 0.01, max: 150 },
  { share: 0.1, max: 17 },
  { share: 0.5, max: 4 },
];

/** How far a share of runs may lie from the truth by chance: three standard errors. */
const chance = (share: number, runs: number): number => 3 * Math.sqrt((share * (1 - share)) / runs);

const report = (line: string): void => {
  if (IS_FULL) process.stdout.write(`${line}\n`);
};

describe("a rollback guardrail at 1,000 users a minute of whom 1 % fail", { timeout: IS_FULL ? 3_600_000 : 60_000 }, () => {
  it.each(FALSE_ALARMS)("rolls back nothing without harm: $name, $share treated", ({ name, share, day }) => {
    const runs = IS_FULL ? 400 : 8;
    let alarms = 0;
    for (let run = 0; run < runs; run += 1) if (minutesToRollback(SEED + run, day) !== undefined) alarms += 1;
    report(`| false rollbacks in 24 h, ${100 * share} % treated, ${name} | <= 1.5 % | ${(100 * alarms) / runs} % | ${runs} |`);
    expect(alarms / runs).toBeLessThanOrEqual(0.015 + (IS_FULL ? 0 : chance(0.015, runs)));
  });

  it.each(["increase", "decrease"] as const)("rolls back no orders of the same size for an %s", (harm) => {
    const runs = IS_FULL ? 200 : 4;
    let alarms = 0;
    for (let run = 0; run < runs; run += 1) if (rollsBackAlikeOrders(SEED + run, harm)) alarms += 1;
    report(`| false rollbacks in 24 h for an ${harm} of log-normal orders | <= 1.5 % | ${(100 * alarms) / runs} % | ${runs} |`);
    expect(alarms / runs).toBeLessThanOrEqual(0.015 + (IS_FULL ? 0 : chance(0.015, runs)));
  });

  it.each(DETECTIONS)("finds $ratio x from minute $from on, $share treated, in $max minutes", ({ ratio, from, share, max }) => {
    const runs = IS_FULL ? 1_000 : ratio === 5 && from === 0 ? 101 : 25;
    const minutes = Array.from(
      { length: runs },
      (_, run) => minutesToRollback(SEED + run, { share, weather: steady, ratio, from }) ?? Number.POSITIVE_INFINITY,
    );
    const median = minutes.sort((a, b) => a - b)[Math.floor(runs / 2)];
    report(
      `| median minutes to find ${ratio}x from minute ${from}, ${100 * share} % treated | <= ${max} | ${median} | ${runs} |`,
    );
    const inTime = minutes.filter((each) => each <= max).length / runs;
    expect(inTime).toBeGreaterThanOrEqual(0.5 - (IS_FULL ? 0 : chance(0.5, runs)));
  });

  it.each(Object.entries(WEATHERS))("takes back no experiment without harm: %s", (name, weather) => {
    const runs = IS_FULL ? 400 : 8;
    let alarms = 0;
    for (let run = 0; run < runs; run += 1) {
      if (minutesToTakeBack(SEED + run, { share: 0.1, weather, ratio: 1, from: 0 }) !== undefined) alarms += 1;
    }
    report(`| false rollbacks in 24 h of an experiment, 10 % in it, ${name} | <= 1.5 % | ${(100 * alarms) / runs} % | ${runs} |`);
    expect(alarms / runs).toBeLessThanOrEqual(0.015 + (IS_FULL ? 0 : chance(0.015, runs)));
  });

  it.each(RAMPS)("finds 5 x in one of two treatments, $share in the experiment, in $max minutes", ({ share, max }) => {
    const runs = IS_FULL ? 1_000 : 101;
    const minutes = Array.from(
      { length: runs },
      (_, run) => minutesToTakeBack(SEED + run, { share, weather: steady, ratio: 5, from: 0 }) ?? Number.POSITIVE_INFINITY,
    );
    const median = minutes.sort((a, b) => a - b)[Math.floor(runs / 2)];
    report(
      `| median minutes to find 5x in one treatment, ${100 * share} % in the experiment | <= ${max} | ${median} | ${runs} |`,
    );
    const inTime = minutes.filter((each) => each <= max).length / runs;
    expect(inTime).toBeGreaterThanOrEqual(0.5 - (IS_FULL ? 0 : chance(0.5, runs)));
  });
});
