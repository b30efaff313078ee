import { expect, test } from "vitest";
import { lineThrough } from "./line.ts";

test("goes through the last two points, and is level where they are about the same", () => {
  const first = { x: 1, y: 500 };
  expect(lineThrough([first, { x: 4, y: 80 }, { x: 16, y: 320 }])(1_000)).toBe(20_000);
  expect(lineThrough([first, { x: 4, y: 80 }, { x: 16, y: 99 }])(1_000)).toBe(99);
  expect(lineThrough([first, { x: 4, y: 80 }, { x: 16, y: 70 }])(1_000)).toBe(70);
  expect(() => lineThrough([first])).toThrow(RangeError);
});
