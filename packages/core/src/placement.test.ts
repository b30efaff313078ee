import { SPACE_PPM } from "@belay/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { firstPosition, lastPosition, POINTS, percentFromPpm, pointAt, positionOf, ppmFromPercent } from "./placement.ts";

const exactPoint = (hash: number): number => Number((BigInt(hash) * 1_000_000n) >> 32n);

describe("points and positions", () => {
  it("agree with the exact quotient for any hash", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), (hash) => {
        expect(pointAt(positionOf(hash))).toBe(exactPoint(hash));
      }),
      { numRuns: 5_000 },
    );
  });

  it("put each of the million boundaries exactly between two points", () => {
    let wrong = 0;
    for (let at = 1; at < POINTS; at++) {
      const first = firstPosition(at);
      if (pointAt(first) !== at || pointAt(lastPosition(at)) !== at - 1 || first !== lastPosition(at) + 1) wrong++;
    }
    expect(wrong).toBe(0);
    expect([firstPosition(0), lastPosition(POINTS)]).toEqual([-(2 ** 31), 2 ** 31 - 1]);
  });

  it("sort as unsigned hashes do", () => {
    const hashes = [0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];
    expect(hashes.map(positionOf)).toEqual([...hashes.map(positionOf)].sort((a, b) => a - b));
    expect(positionOf(-1)).toBe(positionOf(0xffffffff));
  });

  it("hold for imported scales of any number of points", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000 }), fc.nat(999_999), (points, any) => {
        const at = any % points;
        const first = (firstPosition(at, points) ^ 0x80000000) >>> 0;
        const exact = (BigInt(at) * 2n ** 32n + BigInt(points) - 1n) / BigInt(points);
        expect(BigInt(first)).toBe(exact);
      }),
      { numRuns: 5_000 },
    );
  });

  it("are of as many points as the protocol says", () => {
    expect(POINTS).toBe(SPACE_PPM);
  });
});

describe("percentages", () => {
  it("with up to 4 decimals are exact, all 1,000,001 of them, both ways", () => {
    let wrong = 0;
    for (let ppm = 0; ppm <= 1_000_000; ppm++) if (ppmFromPercent(percentFromPpm(ppm)) !== ppm) wrong++;
    expect(wrong).toBe(0);
  });

  it.each([
    [33.33, 333_300],
    [0.0001, 1],
    [12.5, 125_000],
    [100, 1_000_000],
    [-0, 0],
    [99.9999, 999_999],
  ])("%d is %i ppm", (percent, ppm) => {
    expect(ppmFromPercent(percent)).toBeCloseTo(ppm, 10);
  });

  it.each([-1, -0.0001, 100.0001, 0.00001, 33.33333, Number.NaN, Number.POSITIVE_INFINITY, "50", null, true])(
    "%s is none",
    (percent) => {
      expect(ppmFromPercent(percent as number)).toBe(undefined);
    },
  );
});
