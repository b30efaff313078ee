import { expect, it } from "vitest";
import { compareInRounds, quantile } from "./rounds.ts";

/** A clock that only the contenders move, and the order they ran in. */
function stage(): { now: () => number; spends: (name: string, ns: number) => () => void; ran: string[] } {
  let nowNs = 0;
  const ran: string[] = [];
  const spends = (name: string, ns: number) => (): void => {
    ran.push(name);
    nowNs += ns;
  };
  return { now: () => nowNs, spends, ran };
}

it("interleaves the contenders and turns their order round", async () => {
  const { now, spends, ran } = stage();
  const contenders = [
    { name: "a", operations: 1, run: spends("a", 1) },
    { name: "b", operations: 1, run: spends("b", 1) },
  ];
  await compareInRounds(contenders, { rounds: 2, warmups: 1, nowNs: now });
  expect(ran).toEqual(["b", "a", "a", "b", "b", "a"]);
});

it("gives the median of the timed rounds in nanoseconds an operation", async () => {
  const { now, spends } = stage();
  const costs = [9_000, 300, 100, 200];
  const run = (): void => spends("a", costs.shift() ?? 0)();
  const timings = await compareInRounds([{ name: "a", operations: 100, run }], { rounds: 3, warmups: 1, nowNs: now });
  expect(timings).toEqual([{ name: "a", medianNs: 2, fastestNs: 1, slowestNs: 3 }]);
});

it("takes quantiles by nearest rank", () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect([0, 0.5, 0.99, 1].map((share) => quantile(hundred, share))).toEqual([1, 50, 99, 100]);
  expect(quantile([], 0.5)).toBeNaN();
});
