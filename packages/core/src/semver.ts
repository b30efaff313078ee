/**
 * SemVer 2.0 precedence (semver.org, item 11). Build metadata is ignored; "v1.2.3", "1.2" and leading zeros are no versions.
 *
 * The version in a rule is parsed once; the one in a context is compared while it is read, without allocating as long
 * as it is three plain numbers. Everything else takes the general path.
 */
export interface Semver {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  /** Identifiers after the hyphen; empty for a release. */
  readonly pre: readonly string[];
  /** The three numbers as text, for those of more digits than are compared as numbers. */
  readonly core: readonly [string, string, string];
}

const NUMBER = "(0|[1-9]\\d*)";
const IDENTIFIER = "(?:0|[1-9]\\d*|\\d*[A-Za-z-][0-9A-Za-z-]*)";
const FORM = new RegExp(
  `^${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-(${IDENTIFIER}(?:\\.${IDENTIFIER})*))?(?:\\+[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*)?$`,
);
/** A longer field would leave 31 bits at its next digit. */
const VALUE_MAX = 99_999_999;
/** A dot, counted from the digit 0. */
const DOT = 0x2e - 0x30;
/** A longer text is no version anybody uses; the bound keeps a hostile attribute cheap. */
const LENGTH_MAX = 256;

export function parseSemver(text: string): Semver | undefined {
  if (text.length > LENGTH_MAX) return undefined;
  const match = FORM.exec(text);
  if (match === null) return undefined;
  const core: [string, string, string] = [match[1] ?? "", match[2] ?? "", match[3] ?? ""];
  return {
    major: Number(core[0]),
    minor: Number(core[1]),
    patch: Number(core[2]),
    pre: match[4] === undefined ? [] : match[4].split("."),
    core,
  };
}

/**
 * -1, 0 or 1 as the version in `text` precedes, equals or follows `than`; `undefined` when `text` is no version.
 *
 * One pass, few things to remember on the way: reading a character already costs V8 a look at the kind of string it is in.
 * What is rare (a field that begins with 0, one too long for 31 bits, anything but digits and two dots) is left to the
 * general way as soon as it shows. A field without digits is the distance between two dots.
 */
export function compareSemver(text: string, than: Semver): -1 | 0 | 1 | undefined {
  const { length } = text;
  let difference = 0;
  let value = 0;
  let dots = 0;
  let start = 0;
  for (let i = 0; i < length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit >>> 0 <= 9) {
      // Nothing but a 0 comes to nothing, so a further digit after it is one too many; so is a tenth.
      if ((value === 0 && i !== start) || value > VALUE_MAX) return compareGeneral(text, than);
      value = Math.imul(value, 10) + digit;
    } else {
      if (digit !== DOT || i === start || dots === 2) return compareGeneral(text, than);
      difference ||= value - (dots === 0 ? than.major : than.minor);
      value = 0;
      dots++;
      start = i + 1;
    }
  }
  if (dots < 2 || start === length) return compareGeneral(text, than);
  difference ||= value - than.patch;
  return difference < 0 ? -1 : difference > 0 ? 1 : than.pre.length > 0 ? 1 : 0;
}

function compareGeneral(text: string, than: Semver): -1 | 0 | 1 | undefined {
  const version = parseSemver(text);
  if (version === undefined) return undefined;
  return (
    compareDigits(version.core[0], than.core[0]) ||
    compareDigits(version.core[1], than.core[1]) ||
    compareDigits(version.core[2], than.core[2]) ||
    comparePre(version.pre, than.pre)
  );
}

/** Numbers of any length without leading zeros: the longer is the larger. */
function compareDigits(a: string, b: string): -1 | 0 | 1 {
  if (a.length !== b.length) return a.length < b.length ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

function comparePre(a: readonly string[], b: readonly string[]): -1 | 0 | 1 {
  if (a.length === 0 || b.length === 0) return a.length === b.length ? 0 : a.length === 0 ? 1 : -1;
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const [left, right] = [a[i], b[i]];
    if (left === undefined) return -1;
    if (right === undefined) return 1;
    const order = compareIdentifier(left, right);
    if (order !== 0) return order;
  }
  return 0;
}

/** Numeric identifiers compare as numbers and precede the others, which compare as ASCII text. */
function compareIdentifier(a: string, b: string): -1 | 0 | 1 {
  const [aIsNumber, bIsNumber] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (aIsNumber && bIsNumber) return compareDigits(a, b);
  if (aIsNumber !== bIsNumber) return aIsNumber ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}
