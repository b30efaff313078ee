/**
 * Versions, instants and addresses as keys that `<`, `===` and `startsWith` already know how to compare. Each function
 * answers `undefined` for what is none; the same texts are accepted as by `../semver.ts`, `../instant.ts`, `../cidr.ts`.
 */

const VERSION =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-z-][\da-z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-z-][\da-z-]*))*))?(?:\+[\da-z-]+(?:\.[\da-z-]+)*)?$/i;

/**
 * A text that sorts as SemVer 2.0 precedence does: numbers behind their length, numeric identifiers before the others,
 * a shorter list of identifiers before a longer one, a release after all of its pre-releases.
 */
export function versionKey(text: string): string | undefined {
  const match = text.length > 256 ? null : VERSION.exec(text);
  if (match === null) return undefined;
  const [, major = "", minor = "", patch = "", pre] = match;
  const core = [major, minor, patch].map(numberKey).join("");
  return core + (pre === undefined ? "\x03" : `${pre.split(".").map(identifierKey).join("")}\0`);
}

function identifierKey(identifier: string): string {
  return /\D/.test(identifier) ? `\x02${identifier}\0` : `\x01${numberKey(identifier)}`;
}

function numberKey(digits: string): string {
  return String.fromCharCode(digits.length) + digits;
}

const INSTANT = /^(\d{4}-\d\d-(\d\d))[t ](\d\d:[0-5]\d):([0-5]\d|60)(?:\.(\d{1,6})\d*)?(?:z|([+-])([01]\d|2[0-3]):([0-5]\d))$/i;

/** Milliseconds since 1970 of an RFC 3339 date-time, to the microsecond; second 60 is the next minute's first. */
export function instantKey(text: string): number | undefined {
  const [, date, day, time, second, fraction = "", sign = "+", hours = 0, minutes = 0] = INSTANT.exec(text) ?? [];
  const at = Date.parse(`${date}T${time}Z`);
  // A day that the month does not have becomes one of the next month, or no date at all.
  if (new Date(at).getUTCDate() !== Number(day)) return undefined;
  const offsetMinutes = Number(hours) * 60 + Number(minutes);
  const wholeMs = at + Number(second) * 1_000 - Number(`${sign}60000`) * offsetMinutes;
  return wholeMs + Number(fraction.padEnd(6, "0")) / 1_000;
}

const FOUR = /^(.*:)?(\d+)\.(\d+)\.(\d+)\.(\d+)$/;

/** The 128 bits of an IPv6 address as a text of 0 and 1; an IPv4 address as the IPv6 address that stands for it. */
export function addressKey(text: string): string | undefined {
  const [, before = "::ffff:", ...octets] = (text.length > 45 ? null : FOUR.exec(text)) ?? [];
  // A leading zero means octal to some readers and decimal to others: refused.
  if (octets.some((octet) => String(Number(octet) & 255) !== octet)) return undefined;
  const [a = 0, b = 0, c = 0, d = 0] = octets.map(Number);
  const six = octets.length > 0 ? `${before}${hex(a * 256 + b)}:${hex(c * 256 + d)}` : text;
  const halves = six.split("::").map((half) => (half === "" ? [] : half.split(":")));
  const [head = [], tail = [], more] = halves;
  const gap = 8 - head.length - tail.length;
  if (six.length > 60 || more !== undefined || (halves.length > 1 ? gap < 1 : gap !== 0)) return undefined;
  const groups = [...head, ...new Array<string>(gap).fill("0"), ...tail];
  if (!groups.every((group) => /^[\da-f]{1,4}$/i.test(group))) return undefined;
  return groups.map((group) => Number.parseInt(group, 16).toString(2).padStart(16, "0")).join("");
}

/** The leading bits that the addresses of a CIDR block share. */
export function blockKey(text: string): string | undefined {
  const [address = "", bits, more] = text.split("/");
  const isFour = !address.includes(":");
  const length = bits === undefined ? 128 : Number(bits) + (isFour ? 96 : 0);
  if (more !== undefined || length > 128 || (bits !== undefined && !/^(0|[1-9]\d*)$/.test(bits))) return undefined;
  return addressKey(address)?.slice(0, length);
}

function hex(number: number): string {
  return number.toString(16);
}

/** A text whose UTF-16 order is the code point order of the given one: every code point takes two units. */
export function textKey(text: string): string {
  return text.replace(/./gsu, (character) => {
    const point = character.codePointAt(0) as number;
    return String.fromCharCode(point >> 16, point);
  });
}
