import { describe, expect, it } from "vitest";
import { momentOf } from "./wall-time.ts";

const utc = (at: string, zone: string): string => {
  const moment = momentOf({ at, zone });
  return typeof moment === "number" ? new Date(moment).toISOString() : `${moment.field}: ${moment.reason}`;
};

describe("fault 57: the moment of a wall time", () => {
  it.each([
    ["winter", "2026-12-24T09:00", "Europe/Berlin", "2026-12-24T08:00:00.000Z"],
    ["summer, with seconds", "2026-07-01T09:00:30", "Europe/Berlin", "2026-07-01T07:00:30.000Z"],
    ["the last minute before clocks go forward", "2026-03-29T01:59", "Europe/Berlin", "2026-03-29T00:59:00.000Z"],
    ["skipped: the first moment after the gap", "2026-03-29T02:30", "Europe/Berlin", "2026-03-29T01:00:00.000Z"],
    ["the first minute after the gap", "2026-03-29T03:00", "Europe/Berlin", "2026-03-29T01:00:00.000Z"],
    ["shown twice: the first", "2026-10-25T02:30", "Europe/Berlin", "2026-10-25T00:30:00.000Z"],
    ["after clocks went back", "2026-10-25T03:00", "Europe/Berlin", "2026-10-25T02:00:00.000Z"],
    ["skipped in New York", "2026-03-08T02:15", "America/New_York", "2026-03-08T07:00:00.000Z"],
    ["half an hour skipped", "2026-10-04T02:10", "Australia/Lord_Howe", "2026-10-03T15:30:00.000Z"],
    ["a whole day skipped", "2011-12-30T12:00", "Pacific/Apia", "2011-12-30T10:00:00.000Z"],
    ["a leap day", "2028-02-29T00:00", "Asia/Kathmandu", "2028-02-28T18:15:00.000Z"],
    ["UTC", "2026-12-24T09:00", "UTC", "2026-12-24T09:00:00.000Z"],
  ])("%s", (_, at, zone, expected) => {
    expect(utc(at, zone)).toBe(expected);
  });

  it.each([
    ["2026-02-29T09:00", "Europe/Berlin", "at"],
    ["2026-12-24T24:30", "Europe/Berlin", "at"],
    ["2026-12-24T09:00Z", "UTC", "at"],
    ["2026-12-24T09:00+01:00", "Europe/Berlin", "at"],
    ["tomorrow", "Europe/Berlin", "at"],
    ["2026-12-24T09:00", "Europe/Entenhausen", "zone"],
    ["2026-12-24T09:00", "+01:00", "zone"],
    ["2026-12-24T09:00", "", "zone"],
  ])("refuses %s in %j", (at, zone, field) => {
    expect(momentOf({ at, zone })).toMatchObject({ field });
  });
});
