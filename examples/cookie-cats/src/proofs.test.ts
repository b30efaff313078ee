import { seeded } from "@belay/testkit";
import { describe, expect, it } from "vitest";
import { difference, sharesByArm } from "./comparison.ts";
import { generatePlayers } from "./players.ts";
import {
  outcomesOf,
  provesBalance,
  provesMetrics,
  provesNoDuplicates,
  provesOneEach,
  provesPublishedFigures,
  provesSamePulls,
  provesSameVariants,
} from "./proofs.ts";
import type { PulledExposure, PulledMetric } from "./pulled.ts";

const players = generatePlayers(1_000, seeded(1));
const exposures: PulledExposure[] = players.map(({ id }, index) => ({
  ...{ id: `i-${index}`, unit: id, flag: "gate", variant: index % 2 === 0 ? "gate_30" : "gate_40", experiment: "gate" },
}));
const metrics: PulledMetric[] = players.flatMap((player) =>
  outcomesOf(player).map(({ name, value }) => ({ id: `${name}-${player.id}`, unit: player.id, name, value })),
);
const decisions = new Map(exposures.map(({ unit, variant }) => [unit, variant]));
const arms = ["gate_30", "gate_40"] as const;
const recorded = {
  retention_1: [
    { arm: "gate_30", units: 44_700, successes: 20_034 },
    { arm: "gate_40", units: 45_489, successes: 20_119 },
  ],
  retention_7: [
    { arm: "gate_30", units: 44_700, successes: 8_502 },
    { arm: "gate_40", units: 45_489, successes: 8_279 },
  ],
};
const first = exposures[0] as PulledExposure;

describe("a proof holds for what should have happened", () => {
  it.each([
    provesOneEach(players, exposures),
    provesSameVariants(decisions, exposures),
    provesBalance(arms, exposures),
    provesMetrics(players, metrics),
    provesNoDuplicates(["a", "b"], { acknowledgementsLost: 1, replayed: 9, replayedAsDuplicates: 9 }),
    provesSamePulls(exposures, { CSV: [...exposures] }),
    provesPublishedFigures(recorded),
  ])("$claim", ({ holds }) => expect(holds).toBe(true));
});

describe("a proof falls for the smallest thing wrong", () => {
  it.each([
    ["one exposure lost", provesOneEach(players, exposures.slice(1))],
    ["one exposure twice", provesOneEach(players, [...exposures, first])],
    ["one twice in place of another", provesOneEach(players, [first, ...exposures.slice(0, -1)])],
    ["a stranger in place of a player", provesOneEach(players, [{ ...first, unit: "nobody" }, ...exposures.slice(1)])],
    ["another variant", provesSameVariants(decisions, [{ ...first, variant: "gate_40" }, ...exposures.slice(1)])],
    [
      "600 to 400",
      provesBalance(
        arms,
        exposures.map((row, index) => ({ ...row, variant: index < 600 ? "gate_30" : "gate_40" })),
      ),
    ],
    ["a third arm", provesBalance(arms, [{ ...first, variant: "gate_50" }, ...exposures.slice(1)])],
    ["a metric event lost", provesMetrics(players, metrics.slice(1))],
    ["a metric event twice", provesMetrics(players, [...metrics, metrics[0] as PulledMetric])],
    ["a metric of another value", provesMetrics(players, [{ ...(metrics[0] as PulledMetric), value: -1 }, ...metrics.slice(1)])],
    ["an id stored twice", provesNoDuplicates(["a", "a"], { acknowledgementsLost: 1, replayed: 9, replayedAsDuplicates: 9 })],
    [
      "no acknowledgement lost: nothing was tried",
      provesNoDuplicates(["a"], { acknowledgementsLost: 0, replayed: 9, replayedAsDuplicates: 9 }),
    ],
    ["a replayed event accepted", provesNoDuplicates(["a"], { acknowledgementsLost: 1, replayed: 9, replayedAsDuplicates: 8 })],
    ["rows in another order", provesSamePulls(exposures, { CSV: exposures, pieces: exposures.toReversed() })],
    ["a row more", provesSamePulls(exposures, { CSV: [...exposures, first] })],
    ["no other pull's rows", provesSamePulls(exposures, { CSV: [] })],
    ["a share that is not the published one", provesPublishedFigures({ ...recorded, retention_7: recorded.retention_1 })],
    ["an arm that is not there", provesPublishedFigures({ retention_1: recorded.retention_1 })],
  ])("%s", (_, { holds }) => expect(holds).toBe(false));
});

describe("comparison", () => {
  it("gives the recorded experiment's difference in seven-day retention: -0.82 points, interval off zero", () => {
    const { points, from, to } = difference(
      { arm: "gate_30", units: 44_700, successes: 8_502 },
      { arm: "gate_40", units: 45_489, successes: 8_279 },
    );
    expect(points).toBeCloseTo(-0.82013, 5);
    expect(from).toBeCloseTo(-1.32816, 5);
    expect(to).toBeCloseTo(-0.3121, 5);
  });

  it("counts units and successes by arm", () => {
    const event = (unit: string, value: number): PulledMetric => ({ id: unit, unit, name: "retention_1", value });
    const armOf = (unit: string): string | undefined => ({ a: "x", b: "x", c: "y" })[unit];
    expect(sharesByArm([event("a", 1), event("b", 0), event("c", 1), event("d", 1)], "retention_1", armOf)).toEqual([
      { arm: "x", units: 2, successes: 1 },
      { arm: "y", units: 1, successes: 1 },
    ]);
  });
});
