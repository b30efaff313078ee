import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backoffMs, patientMs, retryAfterMs } from "./backoff.ts";

const BACKOFF = { floorMs: 200, baseMs: 1_000, maxMs: 30_000 };
const dice = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe("full jitter", () => {
  it("stays between the floor and the doubled, bounded ceiling for any number of failures", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), dice, (failures, die) => {
        const waitMs = backoffMs(BACKOFF, failures, () => die);
        const ceilingMs = Math.min(1_000 * 2 ** (failures - 1), 30_000);
        expect(waitMs).toBeGreaterThanOrEqual(200);
        expect(waitMs).toBeLessThanOrEqual(ceilingMs);
      }),
    );
  });

  it("is even over its whole width: a fifth of the waits in each fifth", () => {
    const fifths = [0, 0, 0, 0, 0];
    for (let n = 0; n < 10_000; n += 1) {
      const waitMs = backoffMs({ ...BACKOFF, floorMs: 0 }, 1, () => n / 10_000);
      fifths[Math.floor(waitMs / 200)]! += 1;
    }
    expect(fifths).toEqual([2_000, 2_000, 2_000, 2_000, 2_000]);
  });

  it("doubles from the base to the maximum", () => {
    const highest = () => 1;
    expect([1, 2, 3, 4, 5, 6, 7].map((failures) => backoffMs({ ...BACKOFF, floorMs: 0 }, failures, highest))).toEqual([
      1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000,
    ]);
  });
});

describe("Retry-After", () => {
  const nowMs = Date.parse("2026-11-22T12:00:00Z");

  it.each([
    ["120", 120_000],
    ["0.5", 500],
    ["Sun, 22 Nov 2026 12:00:30 GMT", 30_000],
    ["0", undefined],
    ["-5", undefined],
    ["Sun, 22 Nov 2026 11:00:00 GMT", undefined],
    ["soon", undefined],
    ["", undefined],
    [undefined, undefined],
  ])("%j asks for %s ms", (header, expected) => {
    expect(retryAfterMs(header, nowMs)).toBe(expected);
  });

  it("is obeyed within 10 %, never early, and cut to the maximum", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000_000 }), dice, (askedMs, die) => {
        const waitMs = patientMs(askedMs, 300_000, () => die);
        expect(waitMs).toBeLessThanOrEqual(300_000 * (1 + 1e-9));
        expect(waitMs).toBeLessThanOrEqual(askedMs * 1.1 * (1 + 1e-9));
        expect(waitMs).toBeGreaterThanOrEqual(Math.min(askedMs, 300_000 / 1.1));
      }),
    );
  });
});
