import { describe, expect, it } from "vitest";
import { heapPerThousand, judgeGoals, rounded } from "./goals.ts";
import { sectionOf } from "./markdown.ts";
import { reportText, rowsOf } from "./report.ts";
import { type Figure, middleOf, type Run } from "./run.ts";
import type { Sample } from "./sample.ts";
import type { Scenario } from "./scenario.ts";

const scenario: Scenario = { id: "S1", title: "half", unit: "ns", measure: async () => ({ value: 0 }) };

function figure(contender: string, samples: readonly Sample[], id = "S1"): Figure {
  return { scenario: id, contender, samples };
}

const belay = figure("belay", [
  { value: 30, bare: 20 },
  { value: 90, bare: 60 },
  { value: 33, bare: 30 },
]);
const rival = figure("growthbook", [{ value: 900, bare: 20 }]);
const absent: Figure = { scenario: "S1", contender: "unleash", samples: [], excuse: "has no exposures" };

const run: Run = {
  date: "2026-11-22",
  machine: "a machine",
  command: "npm run bench:rivals",
  rounds: 3,
  contenders: [
    {
      key: "belay",
      introduction: {
        name: "@belay/sdk-node",
        version: "this commit",
        answers: "sync",
        proof: { rolloutShare: 0.5, targetedShare: 0.2, variantShares: [] },
      },
    },
    { key: "growthbook" },
    { key: "unleash", failure: "50 % rollout: 0.9, not within 0.48 to 0.52" },
  ],
  figures: [rival, absent, belay],
};

it("takes the median of the values, and of each sample's own multiple of its own yardstick", () => {
  expect(middleOf(belay)).toEqual({ samples: 3, value: 33, fastest: 30, slowest: 90, timesBare: 1.5 });
  expect(middleOf(absent)).toBeUndefined();
});

describe("goals", () => {
  it("compares multiples of the yardstick, so that a sample on a busy machine still counts", () => {
    const goals = judgeGoals([belay, rival]);
    expect(goals).toEqual([
      { promise: "S1 <= 1.6x the bare hash", found: "1.50x", isMet: true },
      { promise: "S1 >= 15x faster than the fastest rival", found: "30.0x", isMet: true },
    ]);
  });

  it("misses at the first figure beyond the goal", () => {
    const goals = judgeGoals([figure("belay", [{ value: 10.01 }], "S4"), figure("belay", [{ value: 0.51 }], "S4-bytes")]);
    expect(goals.map(({ isMet }) => isMet)).toEqual([false, false]);
  });

  it("takes out of the heap what a client keeps besides its flags", () => {
    const few = figure("belay", [{ value: 8_200 }], "S7-1k");
    const many = figure("belay", [{ value: 9_000 }], "S7-5k");
    expect(heapPerThousand([few, many], "belay")).toBe(200);
    expect(heapPerThousand([few], "belay")).toBeUndefined();
  });

  it("rounds to what a benchmark knows", () => {
    expect([0, 0.004, 1.234, 45.67, 1_234.5].map(rounded)).toEqual(["0", "< 0.01", "1.23", "45.7", "1,235"]);
  });
});

it("lists the fastest first and who has no figure last, with the reason", () => {
  expect(rowsOf(run, scenario)).toEqual([
    { contender: "belay", median: "33.0", spread: "30.0 to 90.0 of 3", timesBare: "1.50x", timesOurs: "" },
    { contender: "growthbook", median: "900", spread: "one sample", timesBare: "45.0x", timesOurs: "30.0x" },
    { contender: "unleash", median: "-", spread: "has no exposures", timesBare: "", timesOurs: "" },
  ]);
});

it("names package and version, and who took no part and why", () => {
  const text = reportText(run, [scenario]);
  expect(text).toContain("@belay/sdk-node this commit");
  expect(text).toContain("unleash: 50 % rollout: 0.9, not within 0.48 to 0.52");
});

it("says when, where and how on the page", () => {
  const section = sectionOf(run, [scenario]);
  expect(section).toContain("- machine: a machine\n- command: `npm run bench:rivals`");
  expect(section).toContain("| growthbook | 900 | 45.0x | 30.0x | one sample |");
});
