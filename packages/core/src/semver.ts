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
/** 10 to the power of the digits that a field may have; those of longer ones would leave 31 bits. */
const SCALE_MAX = 1_000_000_000;
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
 * Read once, from its end: what a field differs by is known at the dot before it, and outweighs what stood behind. That is
 * less to do for each character than from the front, where a digit moves those before it. All numbers stay in 31 bits.
 */
export function compareSemver(text: string, than: Semver): -1 | 0 | 1 | undefined {
  let difference = 0;
  let value = 0;
  let scale = 1;
  let leading = 0;
  let dots = 0;
  for (let i = text.length - 1; i >= 0; i--) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit >>> 0 <= 9) {
      if (scale === SCALE_MAX) return compareGeneral(text, than);
      value += Math.imul(digit, scale);
      scale = Math.imul(scale, 10);
      leading = digit;
    } else {
      if (digit !== DOT || dots === 2 || !isNumber(leading, scale)) return compareGeneral(text, than);
      difference = value - (dots === 0 ? than.patch : than.minor) || difference;
      value = 0;
      scale = 1;
      dots++;
    }
  }
  if (dots < 2 || !isNumber(leading, scale)) return compareGeneral(text, than);
  difference = value - than.major || difference;
  return difference < 0 ? -1 : difference > 0 ? 1 : than.pre.length > 0 ? 1 : 0;
}

/** Is a field that begins with this digit a number without leading zeros? `scale` is 10 to the power of its digits. */
function isNumber(leading: number, scale: number): boolean {
  return scale === 10 || (scale > 10 && leading > 0);
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
