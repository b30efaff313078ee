import { describe, expect, it } from "vitest";
import type { ProblemError } from "./problem.ts";
import { momentOf, NO_MOMENT, readTime } from "./times.ts";

const AT = Date.UTC(2026, 10, 22, 3, 12);

describe("a moment in a request", () => {
  it.each([
    ["2026-11-22T03:12:00Z", AT],
    ["2026-11-22t03:12:00z", AT],
    ["2026-11-22 03:12Z", AT],
    ["2026-11-22T08:42:00+05:30", AT],
    ["2026-11-21T23:42:00-03:30", AT],
    ["2026-11-22T03:12:00.0009Z", AT],
    ["2026-11-22", Date.UTC(2026, 10, 22)],
    ["2028-02-29", Date.UTC(2028, 1, 29)],
  ])("%s is read", (text, ms) => {
    expect(momentOf(text)).toBe(ms);
  });

  it.each([
    ["2026-11-22T03:12:00", "it has no zone, and servers stand in many"],
    ["2026-02-30T03:12:00Z", "no calendar has that day"],
    ["2026-02-29", "nor this one"],
    ["2026-13-01", "nor this month"],
    ["2026-00-01T00:00:00Z", "nor this one"],
    ["2026-11-22T24:00:00Z", "no clock shows that hour"],
    ["2026-11-22T03:12:00 01:00", "a + that an address turned into a blank"],
    ["22.11.2026 03:12", "another order"],
    ["03:12", "no day"],
    ["1795316720000", "a number counts nothing in particular"],
    ["", "nothing"],
  ])("%s is refused: %s", (text) => {
    expect(momentOf(text)).toBeUndefined();
    expect(() => readTime("at", text)).toThrow(
      expect.objectContaining<Partial<ProblemError>>({
        code: "invalid_field",
        data: { field: "at", received: text, reason: NO_MOMENT },
      }),
    );
  });

  it("may be absent", () => {
    expect(readTime("at", undefined)).toBeUndefined();
  });
});
