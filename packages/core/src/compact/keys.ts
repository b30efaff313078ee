/**
 * Versions, instants and addresses as keys that `<`, `===` and `startsWith` already know how to compare. Each function
 * answers `undefined` for what is none; the same texts are accepted as by `../semver.ts`, `../instant.ts`, `../cidr.ts`.
 */

const VERSION =
  /^((?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*))(?:-((?:0|[1-9]\d*|\d*[a-z-][\da-z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-z-][\da-z-]*))*))?(?:\+[\da-z-]+(?:\.[\da-z-]+)*)?$/i;

/**
 * A text that sorts as SemVer 2.0 precedence does: numbers behind their length, numeric identifiers before the others,
 * a shorter list of identifiers before a longer one, a release after all of its pre-releases.
 */
export function versionKey(text: string): string | undefined {
  const [, core, pre] = (text.length <= 256 && VERSION.exec(text)) || [];
  if (core === undefined) return undefined;
  return (
    core.split(".").map(numberKey).join("") + (pre === undefined ? "\x03" : `${pre.split(".").map(identifierKey).join("")}\0`)
  );
}

function identifierKey(identifier: string): string {
  return /\D/.test(identifier) ? `\x02${identifier}\0` : `\x01${numberKey(identifier)}`;
}

function numberKey(digits: string): string {
  return String.fromCharCode(digits.length) + digits;
}

/** Milliseconds since 1970 of an RFC 3339 date-time, to the microsecond; second 60 is the next minute's first. */
export function instantKey(text: string): number | undefined {
  const [, date, day, time, second, fraction = "", sign = "+", hours = 0, minutes = 0] =
    /^(\d{4}-\d\d-(\d\d))[t ](\d\d:[0-5]\d):([0-5]\d|60)(?:\.(\d{1,6})\d*)?(?:z|([+-])([01]\d|2[0-3]):([0-5]\d))$/i.exec(text) ??
    [];
  const at = Date.parse(`${date}T${time}Z`);
  // A day that the month does not have becomes one of the next month, or no date at all.
  if (new Date(at).getUTCDate() !== Number(day)) return undefined;
  const offsetMinutes = Number(hours) * 60 + Number(minutes);
  const wholeMs = at + Number(second) * 1_000 - Number(`${sign}60000`) * offsetMinutes;
  return wholeMs + Number(fraction.padEnd(6, "0")) / 1_000;
}

/** The 128 bits of an IPv6 address as a text of 0 and 1; an IPv4 address as the IPv6 address that stands for it. */
export function addressKey(text: string): string | undefined {
  const [, before = "::ffff:", ...octets] = (text.length <= 45 && /^(.*:)?(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text)) || [];
  // A leading zero means octal to some readers and decimal to others: refused.
  if (octets.some((octet) => String(Number(octet) & 255) !== octet)) return undefined;
  const six = octets.length > 0 ? `${before}0:0` : text;
  const [head = [], tail, more] = six.split("::").map((half) => (half === "" ? [] : half.split(":")));
  const gap = 8 - head.length - (tail?.length ?? 0);
  if (more !== undefined || (tail !== undefined && gap < 1)) return undefined;
  const groups = tail === undefined ? head : [...head, ...new Array<string>(gap).fill("0"), ...tail];
  if (!/^[\da-f]{1,4}(:[\da-f]{1,4}){7}$/i.test(groups.join(":"))) return undefined;
  const wide = groups.map((group) => bits(`0x${group}`, 16)).join("");
  return wide.slice(0, 128 - 8 * octets.length) + octets.map((octet) => bits(octet, 8)).join("");
}

/** The leading bits that the addresses of a CIDR block share. */
export function blockKey(text: string): string | undefined {
  const [, address = "", length = "128"] = /^([^/]*)(?:\/(0|[1-9]\d*))?$/.exec(text) ?? [];
  const shared = Number(length) + (address === text || address.includes(":") ? 0 : 96);
  return shared > 128 ? undefined : addressKey(address)?.slice(0, shared);
}

function bits(number: string, width: number): string {
  return Number(number).toString(2).padStart(width, "0");
}

/** A text whose UTF-16 order is the code point order of the given one: every code point takes two units. */
export function textKey(text: string): string {
  return text.replace(/./gsu, (character) => {
    const point = character.codePointAt(0) as number;
    return String.fromCharCode(point >> 16, point);
  });
}
