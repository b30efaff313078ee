import { describe, expect, it } from "vitest";
import { parseInstant } from "./instant.ts";

describe("parseInstant", () => {
  it.each([
    ["1970-01-01T00:00:00Z", 0],
    ["2026-11-22T12:00:00Z", Date.UTC(2026, 10, 22, 12)],
    ["2026-11-22t12:00:00z", Date.UTC(2026, 10, 22, 12)],
    ["2026-11-22 12:00:00Z", Date.UTC(2026, 10, 22, 12)],
    ["2026-11-22T13:30:00+01:30", Date.UTC(2026, 10, 22, 12)],
    ["2026-11-22T06:00:00-06:00", Date.UTC(2026, 10, 22, 12)],
    ["2026-11-22T12:00:00-00:00", Date.UTC(2026, 10, 22, 12)],
    ["2026-11-22T12:00:00.5Z", Date.UTC(2026, 10, 22, 12) + 500],
    ["2026-11-22T12:00:00.123456789Z", Date.UTC(2026, 10, 22, 12) + 123.456],
    ["1969-12-31T23:59:59.999Z", -1],
    ["2016-12-31T23:59:60Z", Date.UTC(2017, 0, 1)],
    ["2024-02-29T00:00:00Z", Date.UTC(2024, 1, 29)],
    ["2000-02-29T00:00:00Z", Date.UTC(2000, 1, 29)],
    ["0000-01-01T00:00:00Z", -62_167_219_200_000],
    ["0099-12-31T00:00:00Z", -59_011_545_600_000],
    ["9999-12-31T23:59:59Z", 253_402_300_799_000],
  ])("reads %s", (text, expected) => {
    expect(parseInstant(text)).toBe(expected);
  });

  it.each([
    ...[
      "",
      "2026-11-22",
      "2026-11-22T12:00Z",
      "2026-11-22T12:00:00",
      "2026-11-22T24:00:00Z",
      "2026-02-29T00:00:00Z",
      "1900-02-29T00:00:00Z",
    ],
    ...["2026-04-31T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-01T00:60:00Z"],
    ...[
      "2026-01-01T00:00:61Z",
      "2026-01-01T00:00:00+24:00",
      "2026-01-01T00:00:00+00:60",
      "2026-01-01T00:00:00+0000",
      "2026-01-01T00:00:00,5Z",
    ],
    ...[
      "2026-01-01T00:00:00.Z",
      "+2026-01-01T00:00:00Z",
      "12026-01-01T00:00:00Z",
      " 2026-01-01T00:00:00Z",
      "2026-01-01T00:00:00Z\n",
      "٢٠٢٦-01-01T00:00:00Z",
    ],
  ])("refuses %j", (text) => {
    expect(parseInstant(text)).toBe(undefined);
  });

  it("keeps every one of the million microseconds of a second apart, in order", () => {
    let before = Number.NEGATIVE_INFINITY;
    let misplaced = 0;
    for (let us = 0; us < 1_000_000; us += 7) {
      const at = parseInstant(`2026-11-22T12:00:00.${String(us).padStart(6, "0")}Z`) ?? Number.NaN;
      if (!(at > before) || Math.round((at - Date.UTC(2026, 10, 22, 12)) * 1_000) !== us) misplaced++;
      before = at;
    }
    expect(misplaced).toBe(0);
  });

  it("gives one instant one number whatever its offset, also far from now", () => {
    const zulu = parseInstant("9998-06-15T10:20:30.123456Z");
    const others = Array.from({ length: 24 }, (_, hour) => hour).map((hour) => {
      const [day, local] = hour + 10 < 24 ? [15, hour + 10] : [16, hour - 14];
      return parseInstant(`9998-06-${day}T${String(local).padStart(2, "0")}:20:30.123456+${String(hour).padStart(2, "0")}:00`);
    });
    expect(new Set(others)).toEqual(new Set([zulu]));
  });
});
