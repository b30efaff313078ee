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
  /** The three numbers as text, for those beyond 15 digits. */
  readonly core: readonly [string, string, string];
}

const NUMBER = "(0|[1-9]\\d*)";
const IDENTIFIER = "(?:0|[1-9]\\d*|\\d*[A-Za-z-][0-9A-Za-z-]*)";
const FORM = new RegExp(
  `^${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-(${IDENTIFIER}(?:\\.${IDENTIFIER})*))?(?:\\+[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*)?$`,
);
/** Integers of so many digits are exact as numbers. */
const EXACT_DIGITS = 15;
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

/** -1, 0 or 1 as the version in `text` precedes, equals or follows `than`; `undefined` when `text` is no version. */
export function compareSemver(text: string, than: Semver): -1 | 0 | 1 | undefined {
  const { length } = text;
  let order: -1 | 0 | 1 = 0;
  let at = 0;
  for (let field = 0; field < 3; field++) {
    const start = at;
    let value = 0;
    let unit = 0;
    while (at < length) {
      unit = text.charCodeAt(at);
      if (unit < 0x30 || unit > 0x39) break;
      value = value * 10 + (unit - 0x30);
      at++;
    }
    const digits = at - start;
    // What is no plain number, or is followed by anything but a dot (a dot between two, the end after the third).
    if (digits === 0 || digits > EXACT_DIGITS || (digits > 1 && text.charCodeAt(start) === 0x30))
      return compareGeneral(text, than);
    if (field < 2 ? at === length || unit !== 0x2e : at !== length) return compareGeneral(text, than);
    at++;
    if (order === 0) {
      const other = field === 0 ? than.major : field === 1 ? than.minor : than.patch;
      order = value < other ? -1 : value > other ? 1 : 0;
    }
  }
  return order !== 0 ? order : than.pre.length > 0 ? 1 : 0;
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
