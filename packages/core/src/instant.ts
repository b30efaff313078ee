/**
 * RFC 3339 date-times as milliseconds since 1970, fractions kept to the microsecond. `Date.parse` is not used: what it
 * accepts beyond the standard differs between engines.
 */
const FORM = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(\.\d+)?(?:[Zz]|([+-])(\d\d):(\d\d))$/;
const DAY_MS = 86_400_000;

/** Milliseconds since 1970-01-01T00:00:00Z; `undefined` unless the text is an RFC 3339 date-time that exists. */
export function parseInstant(text: string): number | undefined {
  const match = FORM.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = [1, 2, 3, 4, 5, 6].map((i) => Number(match[i])) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return undefined;
  // RFC 3339 allows second 60 for a leap second; it counts as the next minute's first.
  if (hour > 23 || minute > 59 || second > 60) return undefined;
  const [offsetHours, offsetMinutes] = [Number(match[9] ?? 0), Number(match[10] ?? 0)];
  if (offsetHours > 23 || offsetMinutes > 59) return undefined;
  const offsetMs = (match[8] === "-" ? -1 : 1) * (offsetHours * 60 + offsetMinutes) * 60_000;
  const fractionUs = match[7] === undefined ? 0 : Number(match[7].slice(1, 7).padEnd(6, "0"));
  // The fraction last: whole milliseconds are exact, so one instant is one number whatever its offset.
  const wholeMs = daysFrom1970(year, month, day) * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1_000 - offsetMs;
  return wholeMs + fractionUs / 1_000;
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days from 1970-01-01 of a date of the Gregorian calendar, years 0 to 9999. `Date.UTC` would read 0-99 as 1900-1999. */
function daysFrom1970(year: number, month: number, day: number): number {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return Math.round(date.getTime() / DAY_MS);
}
