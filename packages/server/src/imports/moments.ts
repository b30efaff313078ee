/** How the times of a file are to be read where they do not say so themselves. */
export interface TimeRules {
  /** Minutes east of UTC of times without a zone; absent: such times are refused. */
  readonly zoneMinutes?: number;
  /** What plain numbers count, from 1970 on; absent: such times are refused. */
  readonly timeUnit?: TimeUnit;
}

export type TimeUnit = "s" | "ms" | "us";

/** A moment in ms since 1970, or why the value is none. */
export type ReadMoment = { readonly ms: number } | { readonly reason: string };

/**
 * Reads a moment as files write it: RFC 3339, the same with a blank for the `T` or without seconds, a date alone, or a
 * number. What leaves the moment open is refused, never guessed; what is finer than a millisecond is cut off.
 */
export function readMoment(value: unknown, rules: TimeRules): ReadMoment {
  if (value instanceof Date) return within(value.getTime());
  if (typeof value === "number" || typeof value === "bigint") return fromNumber(Number(value), rules);
  if (typeof value !== "string") return NO_MOMENT;
  const text = value.trim();
  return /^-?\d+(\.\d+)?$/.test(text) ? fromNumber(Number(text), rules) : fromText(text, rules);
}

/** Minutes east of UTC: `UTC`, `Z` or an offset such as `+02:00`; undefined for anything else. */
export function readZone(text: string): number | undefined {
  if (/^(z|utc)$/i.test(text)) return 0;
  const [, sign, hours, minutes = "0"] = /^([+-])(\d\d)(?::?(\d\d))?$/.exec(text) ?? [];
  if (sign === undefined || Number(hours) > 18 || Number(minutes) > 59) return undefined;
  return (sign === "-" ? -1 : 1) * (60 * Number(hours) + Number(minutes));
}

const NO_MOMENT: ReadMoment = { reason: "it is no moment such as 2026-11-22T10:00:00Z" };
/** The last millisecond of the year 9999. */
const MS_MAX = 253_402_300_799_999;

function fromNumber(count: number, { timeUnit }: TimeRules): ReadMoment {
  if (timeUnit === undefined) return { reason: "it is a plain number; say with `timeUnit` what it counts: s, ms or us" };
  const scale = { s: 1_000, ms: 1, us: 0.001 }[timeUnit];
  return within(Math.floor(count * scale));
}

const TEXT = /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?: ?(Z|UTC|[+-]\d\d(?::?\d\d)?))?)?$/i;

function fromText(text: string, { zoneMinutes }: TimeRules): ReadMoment {
  const match = TEXT.exec(text);
  if (match === null) return NO_MOMENT;
  const [, year, month, day, hour, minute = "0", second = "0", fraction = "", zone] = match;
  // A date alone begins in UTC, as it does in the filters of a pull.
  const offset = zone === undefined ? (zoneMinutes ?? (hour === undefined ? 0 : undefined)) : readZone(zone);
  if (offset === undefined)
    return { reason: "it has no zone; say with `zone` which one is meant: UTC or an offset such as +02:00" };
  const clock = [Number(hour ?? 0), Number(minute), Number(second)] as const;
  const ms = Date.UTC(Number(year), Number(month) - 1, Number(day), ...clock, Number(fraction.padEnd(3, "0").slice(0, 3)));
  // `Date.UTC` moves a 13th month on, a 31st of a shorter month and a 25th hour.
  const made = new Date(ms);
  const isDay = made.getUTCMonth() === Number(month) - 1 && made.getUTCDate() === Number(day);
  const isReal = isDay && clock[0] < 24 && clock[1] < 60 && clock[2] < 60;
  return isReal ? within(ms - 60_000 * offset) : NO_MOMENT;
}

function within(ms: number): ReadMoment {
  if (Number.isNaN(ms)) return NO_MOMENT;
  if (ms < 0) return { reason: "it is before 1970" };
  return ms > MS_MAX ? { reason: "it is after the year 9999" } : { ms };
}
