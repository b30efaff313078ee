import { expect, it } from "vitest";
import { seeded } from "./seeded.ts";

const throws = (seed: number, count: number): number[] => {
  const dice = seeded(seed);
  return Array.from({ length: count }, dice.fraction);
};

it("falls the same way for the same seed and another way for its neighbour", () => {
  expect(throws(7, 1_000)).toEqual(throws(7, 1_000));
  const same = throws(7, 1_000).filter((fraction, index) => fraction === throws(8, 1_000)[index]);
  expect(same).toHaveLength(0);
});

it("fills 10 equal boxes evenly: chi-square of 100,000 throws below the 0.999 quantile of 9 degrees", () => {
  const boxes = new Array<number>(10).fill(0);
  const dice = seeded(1);
  for (let thrown = 0; thrown < 100_000; thrown += 1) boxes[dice.below(10)]! += 1;
  const chiSquare = boxes.reduce((sum, seen) => sum + (seen - 10_000) ** 2 / 10_000, 0);
  expect(chiSquare).toBeLessThan(27.88);
});

it("shuffles without losing an item and without touching the list it was given", () => {
  const items = Object.freeze(Array.from({ length: 100 }, (_, index) => index));
  const shuffled = seeded(3).shuffled(items);
  expect(shuffled).not.toEqual(items);
  expect([...shuffled].sort((a, b) => a - b)).toEqual(items);
});

it("picks only what is there and refuses to pick from nothing", () => {
  const dice = seeded(5);
  const picked = new Set(Array.from({ length: 200 }, () => dice.pick(["a", "b", "c"])));
  expect([...picked].sort()).toEqual(["a", "b", "c"]);
  expect(() => dice.pick([])).toThrow(RangeError);
});
