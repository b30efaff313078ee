import { expect, it } from "vitest";
import { UnitSet } from "./unit-set.ts";

it("counts each unit once while it remembers it", () => {
  const units = new UnitSet(3);
  expect(["a", "b", "a", "c", "b"].map((unit) => units.add(unit))).toEqual([true, true, false, true, false]);
});

it("holds at most two generations, and forgets the one that stayed away", () => {
  const units = new UnitSet(3);
  for (let i = 0; i < 1_000; i += 1) {
    units.add(`unit-${i}`);
    units.add("regular");
    expect(units.size).toBeLessThanOrEqual(6);
  }
  expect([units.add("regular"), units.add("unit-0")]).toEqual([false, true]);
});
