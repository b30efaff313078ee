import fc from "fast-check";
import { expect, it } from "vitest";
import { LayeredMap } from "./layered-map.ts";

interface Step {
  readonly key: string;
  /** Absent: the entry is removed. */
  readonly value?: number;
  /** Is it the first write of a new version? */
  readonly isNewVersion: boolean;
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc
    .record({ key: fc.integer({ min: 0, max: 30 }), value: fc.option(fc.nat(), { nil: undefined }), isNewVersion: fc.boolean() })
    .map(({ key, value, isNewVersion }) => ({
      key: `key-${key}`,
      isNewVersion,
      ...(value === undefined ? {} : { value }),
    })),
  { maxLength: 200 },
);

const sorted = (map: ReadonlyMap<string, number>): [string, number][] => [...map].sort(([a], [b]) => (a < b ? -1 : 1));

it("is the map of the language, in every version, whatever is written to later ones", () => {
  fc.assert(
    fc.property(steps, (taken) => {
      let layered = LayeredMap.copy<number>(new Map());
      let plain = new Map<string, number>();
      const versions: [LayeredMap<number>, Map<string, number>][] = [[layered, plain]];
      for (const { key, value, isNewVersion } of taken) {
        if (isNewVersion) {
          layered = LayeredMap.copy(layered);
          plain = new Map(plain);
          versions.push([layered, plain]);
        }
        layered.put(key, value);
        if (value === undefined) plain.delete(key);
        else plain.set(key, value);
      }
      for (const [one, other] of versions) {
        expect(sorted(one)).toEqual(sorted(other));
        expect([...one.keys()].length).toBe(other.size);
        expect([...one.values()].sort()).toEqual([...other.values()].sort());
        expect(one.size).toBe(other.size);
        for (let n = 0; n <= 30; n += 1) {
          expect([one.get(`key-${n}`), one.has(`key-${n}`)]).toEqual([other.get(`key-${n}`), other.has(`key-${n}`)]);
        }
      }
    }),
  );
});

it("keeps the order of a map: a value that is replaced stays in its place, a key that comes goes last", () => {
  const before = LayeredMap.copy(new Map([...Array(100).keys()].map((n) => [`key-${n}`, n] as const)));
  const after = LayeredMap.copy(before);
  after.put("key-3", -3);
  after.put("key-5", undefined);
  after.put("late", 1);
  expect([...after].slice(2, 6)).toEqual([
    ["key-2", 2],
    ["key-3", -3],
    ["key-4", 4],
    ["key-6", 6],
  ]);
  expect([...after].at(-1)).toEqual(["late", 1]);
  expect([before.size, after.size]).toEqual([100, 100]);
  const seen: unknown[] = [];
  after.forEach((value, key, map) => {
    if (key === "late") seen.push([key, value, map === after]);
  });
  expect(seen).toEqual([["late", 1, true]]);
});
