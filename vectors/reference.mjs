/**
 * A second opinion: decides a flag straight from the snapshot's JSON, with no compiled form and no cleverness. It shares no
 * line with `packages/core` and leans on other people's packages for what they know best. Slow on purpose; never shipped.
 *
 * It makes the vectors, and the property tests hold core against it on random snapshots.
 */
import ipaddr from "ipaddr.js";
import murmurhash from "murmurhash";
import { RE2JS } from "re2js";
import semver from "semver";

const LIMITS = {
  conditionDepth: 32,
  conditions: 10_000,
  rules: 1_000,
  parts: 1_000,
  variants: 1_000,
  values: 10_000,
  valueDepth: 100,
  pattern: 1_024,
  asking: 64,
};

/** MurmurHash3 x86_32 over UTF-8, unsigned. */
export function hash(text, seed = 0) {
  return murmurhash.v3(String(text), seed);
}

/** The point, 0 to 999,999, of a unit's text in the space of a salt. */
export function point(salt, unit) {
  return Number((BigInt(hash(salt + unit)) * 1_000_000n) / 2n ** 32n);
}

/** The text of a unit; `undefined` when the value is none. */
export function unitText(value) {
  if (typeof value === "string" && value.length > 0) return value;
  if (typeof value === "number" && Number.isFinite(value)) return `${value}`;
  if (typeof value === "boolean") return value ? "true" : "false";
  return undefined;
}

/** Does the test hold for the context? `undefined` when it is malformed. */
export function holdsTest(test, context) {
  return isTest(test) ? answerTest(test, context) : undefined;
}

/**
 * The outcome of a flag: `{ value?, variant?, reason, ruleId?, errorCode?, tracks? }`, absent fields left out. `tracks`
 * says what an exposure would be recorded for, with the unit.
 */
export function decide(snapshot, key, context) {
  const flag = own(snapshot.flags, key);
  if (flag === undefined) return failure("FLAG_NOT_FOUND");
  if (!isFine(snapshot, `flag ${key}`)) return failure("PARSE_ERROR");
  const isObject = typeof context === "object" && context !== null;
  return decideFine(snapshot, flag, isObject ? context : {});
}

/** The same for a snapshot that many questions are asked about: what is well-formed is found out once. */
export function decider(snapshot) {
  const known = new Map();
  verdicts.set(snapshot, known);
  return (key, context) => decide(snapshot, key, context);
}

function failure(errorCode) {
  return { reason: "ERROR", errorCode };
}

// ---------------------------------------------------------------------------------------------------------- deciding

function decideFine(snapshot, flag, context) {
  const give = (variant, reason, more = {}) =>
    variant === undefined ? { reason } : { value: flag.variants[variant], variant, reason, ...more };
  if (!flag.enabled) return give(flag.off, "DISABLED");
  for (const test of flag.prerequisites ?? []) if (!answerFlagTest(snapshot, test, context)) return give(flag.off, "DISABLED");
  for (const rule of flag.rules) {
    if (rule.when !== undefined && !answer(snapshot, flag, rule.when, context)) continue;
    const served = serve(snapshot, flag, rule.serve, context);
    if (served === "no unit") return failure("TARGETING_KEY_MISSING");
    if (served === undefined) continue;
    const reason = served.isPlain ? "TARGETING_MATCH" : "SPLIT";
    return give(served.variant, reason, { ruleId: rule.id, ...tracksOf(served, snapshot, flag, context) });
  }
  const served = flag.fallthrough === undefined ? undefined : serve(snapshot, flag, flag.fallthrough, context);
  if (served === "no unit") return failure("TARGETING_KEY_MISSING");
  if (served === undefined) return { reason: "DEFAULT" };
  const isStatic = flag.rules.length === 0 && (flag.prerequisites ?? []).length === 0;
  const reason = served.isPlain ? (isStatic ? "STATIC" : "DEFAULT") : "SPLIT";
  return give(served.variant, reason, tracksOf(served, snapshot, flag, context));
}

function serve(snapshot, flag, serves, context) {
  if (!Object.hasOwn(serves, "split")) return { variant: serves.variant, isPlain: true };
  for (const part of serves.split) {
    let isInside = true;
    for (const draw of part.draws) {
      const inside = answerDraw(snapshot, flag, draw, context);
      if (inside === "no unit") return "no unit";
      if (!inside) {
        isInside = false;
        break;
      }
    }
    if (isInside) return { variant: part.variant, isPlain: false, part };
  }
  return undefined;
}

/** An exposure's unit is the one that the part's last draw divides by. */
function tracksOf({ part }, snapshot, flag, context) {
  if (part?.tracks === undefined) return {};
  const last = part.draws.at(-1);
  const by = last === undefined ? undefined : spaceOf(snapshot, flag, last.space).by;
  const unit = unitText(attribute(context, by ?? "targetingKey"));
  const { experiment, release, epoch = 0 } = part.tracks;
  const what = experiment === undefined ? { release } : { experiment };
  return { tracks: { ...what, epoch, ...(unit === undefined ? {} : { unit }) } };
}

function answer(snapshot, flag, condition, context) {
  const ask = (inner) => answer(snapshot, flag, inner, context);
  if (Object.hasOwn(condition, "all")) return condition.all.map(ask).every(Boolean);
  if (Object.hasOwn(condition, "any")) return condition.any.map(ask).some(Boolean);
  if (Object.hasOwn(condition, "not")) return !ask(condition.not);
  if (Object.hasOwn(condition, "segment")) return answer(snapshot, undefined, own(snapshot.segments, condition.segment), context);
  if (Object.hasOwn(condition, "draw")) return answerDraw(snapshot, flag, condition.draw, context) === true;
  if (Object.hasOwn(condition, "flag")) return answerFlagTest(snapshot, condition, context);
  return answerTest(condition, context);
}

function answerFlagTest(snapshot, test, context) {
  const { variant } = decide(snapshot, test.flag, context);
  return variant !== undefined && test.variants.includes(variant);
}

function answerDraw(snapshot, flag, draw, context) {
  const space = spaceOf(snapshot, flag, draw.space);
  const unit = unitText(attribute(context, space.by ?? "targetingKey"));
  if (unit === undefined) return "no unit";
  const at = point(space.salt, unit);
  return draw.in.some(([from, to]) => from <= at && at < to);
}

function spaceOf(snapshot, flag, name) {
  return own(flag?.spaces, name) ?? own(snapshot.spaces, name);
}

/** Own properties only. The whole dotted name wins over the path; `null` is none. */
function attribute(context, path) {
  if (Object.hasOwn(context, path) && context[path] !== undefined) return context[path] ?? undefined;
  let at = context;
  for (const step of path.split(".")) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, step)) return undefined;
    at = at[step];
  }
  return at ?? undefined;
}

function own(table, name) {
  return table !== undefined && typeof name === "string" && Object.hasOwn(table, name) ? table[name] : undefined;
}

// --------------------------------------------------------------------------------------------------------- operators

function answerTest({ attribute: path, op, value: wanted }, context) {
  const value = attribute(context, path);
  if (op === "exists") return wanted === (value !== undefined);
  if (value === undefined) return false;
  return (Array.isArray(value) ? value : [value]).some((element) => OPERATORS[op].holds(element, wanted));
}

const list = (wanted) => (Array.isArray(wanted) ? wanted : [wanted]);
const anyText = (matches) => (value, wanted) => typeof value === "string" && list(wanted).some((text) => matches(value, text));
const isText = (value) => typeof value === "string";
const isScalar = (value) => isText(value) || typeof value === "boolean" || Number.isFinite(value);
const isListOf = (is) => (wanted) => list(wanted).length <= LIMITS.values && list(wanted).every(is);

const ordered = (accepts) => ({
  takes: (wanted) => isText(wanted) || Number.isFinite(wanted),
  holds: (value, wanted) => {
    if (typeof value === "number" && typeof wanted === "number") return !Number.isNaN(value) && accepts(value - wanted || 0);
    return isText(value) && isText(wanted) && accepts(codePointOrder(value, wanted));
  },
});
const instant = (accepts) => ({
  takes: (wanted) => isText(wanted) && microseconds(wanted) !== undefined,
  holds: (value, wanted) => {
    const at = isText(value) ? microseconds(value) : undefined;
    return at !== undefined && accepts(at, microseconds(wanted));
  },
});
const version = (accepts) => ({
  takes: (wanted) => isText(wanted) && isVersion(wanted),
  holds: (value, wanted) => isText(value) && isVersion(value) && accepts(versionOrder(value, wanted)),
});

const OPERATORS = {
  in: { takes: isListOf(isScalar), holds: (value, wanted) => list(wanted).some((one) => one === value) },
  contains: { takes: isListOf(isText), holds: anyText((value, text) => value.includes(text)) },
  startsWith: { takes: isListOf(isText), holds: anyText((value, text) => value.startsWith(text)) },
  endsWith: { takes: isListOf(isText), holds: anyText((value, text) => value.endsWith(text)) },
  matches: {
    takes: isListOf(isPattern),
    // Searched in the first 10,000 UTF-16 units.
    holds: anyText((value, text) => RE2JS.compile(text).matcher(value.slice(0, 10_000)).find()),
  },
  lt: ordered((order) => order < 0),
  lte: ordered((order) => order <= 0),
  gt: ordered((order) => order > 0),
  gte: ordered((order) => order >= 0),
  before: instant((at, wanted) => at < wanted),
  after: instant((at, wanted) => at > wanted),
  semverEq: version((order) => order === 0),
  semverLt: version((order) => order < 0),
  semverLte: version((order) => order <= 0),
  semverGt: version((order) => order > 0),
  semverGte: version((order) => order >= 0),
  exists: { takes: (wanted) => typeof wanted === "boolean", holds: () => false },
  cidr: { takes: isListOf((text) => isText(text) && block(text) !== undefined), holds: anyText(isInBlock) },
};

function isPattern(text) {
  if (!isText(text) || text.length > LIMITS.pattern) return false;
  try {
    RE2JS.compile(text);
    return true;
  } catch {
    return false;
  }
}

function codePointOrder(a, b) {
  const [left, right] = [Array.from(a), Array.from(b)].map((all) => all.map((one) => one.codePointAt(0)));
  for (let i = 0; i < Math.min(left.length, right.length); i++) if (left[i] !== right[i]) return left[i] - right[i];
  return left.length - right.length;
}

/** RFC 3339 as microseconds since 1970; what is finer is cut off, second 60 is the next minute's first. */
function microseconds(text) {
  const form = /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?([Zz]|[+-]\d{2}:\d{2})$/.exec(text);
  if (form === null) return undefined;
  const [year, month, day, hour, minute, second] = form.slice(1, 7).map(Number);
  // Years below 100 would be read as 19xx; 400 years are a whole number of weeks and of leap cycles.
  const midnight = Date.UTC(year + 400, month - 1, day) - Date.UTC(2370, 0, 1);
  const date = new Date(midnight + Date.UTC(2370, 0, 1));
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  if (hour > 23 || minute > 59 || second > 60) return undefined;
  const zone = /^([+-])(\d{2}):(\d{2})$/.exec(form[8]);
  const [zoneHours, zoneMinutes] = zone === null ? [0, 0] : [Number(zone[2]), Number(zone[3])];
  if (zoneHours > 23 || zoneMinutes > 59) return undefined;
  const zoneSeconds = (zone?.[1] === "-" ? -1 : 1) * (zoneHours * 3600 + zoneMinutes * 60);
  const seconds = BigInt(midnight / 1000 + hour * 3600 + minute * 60 + second - zoneSeconds);
  return seconds * 1_000_000n + BigInt(`${form[7] ?? ""}000000`.slice(0, 6));
}

// The expression that semver.org suggests; the package reads "v1.2.3" and blanks around too.
const SEMVER =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$/;

function isVersion(text) {
  return text.length <= 256 && SEMVER.test(text);
}

function versionOrder(a, b) {
  const hasLongNumber = /\d{16}/.test(`${a} ${b}`);
  return hasLongNumber ? longVersionOrder(a, b) : semver.compare(a, b);
}

/** The package refuses numbers beyond 2^53; these are compared exactly. */
function longVersionOrder(a, b) {
  const [left, right] = [SEMVER.exec(a), SEMVER.exec(b)];
  for (const i of [1, 2, 3]) if (left[i] !== right[i]) return BigInt(left[i]) < BigInt(right[i]) ? -1 : 1;
  if (left[4] === undefined || right[4] === undefined) return Number(left[4] === undefined) - Number(right[4] === undefined);
  const [before, after] = [left[4].split("."), right[4].split(".")];
  for (const [i, mine] of before.entries()) {
    const other = after[i];
    if (other === undefined) return 1;
    if (mine === other) continue;
    const [isNumber, isOtherNumber] = [/^\d+$/.test(mine), /^\d+$/.test(other)];
    if (isNumber && isOtherNumber) return BigInt(mine) < BigInt(other) ? -1 : 1;
    if (isNumber !== isOtherNumber) return isNumber ? -1 : 1;
    return mine < other ? -1 : 1;
  }
  return before.length - after.length;
}

/** The 16 bytes of an address, IPv4 as IPv4-mapped; `undefined` when the text is none. */
function address(text) {
  if (text.length > 45 || text.includes("%")) return undefined;
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text).toIPv4MappedAddress().toByteArray();
  if (!text.includes(":") || !ipaddr.IPv6.isValid(text)) return undefined;
  // The package reads leading zeros in a dotted end as octal; they are refused as in plain IPv4.
  const dotted = /[^:]*\.[^:]*$/.exec(text)?.[0];
  if (dotted !== undefined && !ipaddr.IPv4.isValidFourPartDecimal(dotted)) return undefined;
  return ipaddr.IPv6.parse(text).toByteArray();
}

function block(text) {
  const [network, length, ...rest] = text.split("/");
  const bytes = address(network);
  if (bytes === undefined || rest.length > 0) return undefined;
  if (length === undefined) return { bytes, bits: 128 };
  if (!/^(0|[1-9]\d{0,2})$/.test(length)) return undefined;
  const isSix = network.includes(":");
  if (Number(length) > (isSix ? 128 : 32)) return undefined;
  return { bytes, bits: Number(length) + (isSix ? 0 : 96) };
}

function isInBlock(text, blockText) {
  const bytes = address(text);
  if (bytes === undefined) return false;
  const wanted = block(blockText);
  const bitsOf = (all) => all.map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return bitsOf(bytes).slice(0, wanted.bits) === bitsOf(wanted.bytes).slice(0, wanted.bits);
}

// -------------------------------------------------------------------------------------------------- what is malformed

/** What is known of the definitions of a snapshot, by `flag <key>` and `segment <key>`. */
const verdicts = new WeakMap();

/** Can the definition decide? It has its form, all it names exists, it asks for itself nowhere, and not too deep. */
function isFine(snapshot, id) {
  const known = verdicts.get(snapshot) ?? new Map();
  const before = known.get(id);
  if (before !== undefined) return before;
  const asked = asks(snapshot, id);
  const verdict = asked !== undefined && isLinked(snapshot, id, asked);
  known.set(id, verdict);
  return verdict;
}

function isLinked(snapshot, id, { spaces, ids }) {
  return (
    spaces.every((name) => isSpace(own(snapshot.spaces, name))) &&
    ids.every((other) => definition(snapshot, other) !== undefined) &&
    !isOnCycle(snapshot, id) &&
    depth(snapshot, id) <= LIMITS.asking &&
    // A segment is part of who asks for it; another flag that is malformed just serves no variant.
    ids.every((other) => !other.startsWith("segment ") || isFine(snapshot, other))
  );
}

function definition(snapshot, id) {
  const key = id.slice(id.indexOf(" ") + 1);
  return id.startsWith("flag ") ? own(snapshot.flags, key) : own(snapshot.segments, key);
}

/** The names a definition uses; `undefined` when its form is wrong. */
function asks(snapshot, id) {
  const names = { spaces: [], ids: [], conditions: 0, own: [] };
  const thing = definition(snapshot, id);
  const isFormed = id.startsWith("flag ") ? isFlag(thing, names) : isCondition(thing, names, 0);
  if (!isFormed) return undefined;
  return { ...names, spaces: names.spaces.filter((name) => !names.own.includes(name)) };
}

function nextOf(snapshot, id) {
  return asks(snapshot, id)?.ids ?? [];
}

function isOnCycle(snapshot, id) {
  const seen = new Set();
  const waiting = [...nextOf(snapshot, id)];
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (next === id) return true;
    if (seen.has(next)) continue;
    seen.add(next);
    waiting.push(...nextOf(snapshot, next));
  }
  return false;
}

/** How often one definition asks for the next at most, from here down. What stands in a circle counts as an end. */
function depth(snapshot, id, found = new Map()) {
  if (found.has(id)) return found.get(id);
  if (isOnCycle(snapshot, id)) return 0;
  const below = nextOf(snapshot, id).map((next) => 1 + depth(snapshot, next, found));
  const deepest = Math.max(0, ...below);
  found.set(id, deepest);
  return deepest;
}

const isRecord = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

function isFlag(flag, names) {
  if (!isRecord(flag)) return false;
  if (flag.spaces !== undefined && !(isRecord(flag.spaces) && Object.values(flag.spaces).every(isSpace))) return false;
  names.own.push(...Object.keys(flag.spaces ?? {}));
  const isNamed = (variant) => isText(variant) && Object.hasOwn(flag.variants, variant);
  const isServe = (serves) =>
    isRecord(serves) && (Object.hasOwn(serves, "split") ? isSplit(serves.split) : isNamed(serves.variant));
  const isSplit = (parts) => Array.isArray(parts) && parts.length <= LIMITS.parts && parts.every(isPart);
  const isPart = (part) =>
    isRecord(part) &&
    isNamed(part.variant) &&
    Array.isArray(part.draws) &&
    part.draws.every((draw) => isDraw(draw, names)) &&
    (part.tracks === undefined || isTracks(part.tracks));
  const isRule = (rule) =>
    isRecord(rule) && isText(rule.id) && (rule.when === undefined || isCondition(rule.when, names, 0)) && isServe(rule.serve);
  return (
    isRecord(flag.variants) &&
    Object.keys(flag.variants).length <= LIMITS.variants &&
    Object.values(flag.variants).every((value) => isOfType(value, flag.type) && nesting(value) <= LIMITS.valueDepth) &&
    ["boolean", "string", "number", "object"].includes(flag.type) &&
    typeof flag.enabled === "boolean" &&
    (flag.off === undefined || isNamed(flag.off)) &&
    (flag.prerequisites === undefined ||
      (Array.isArray(flag.prerequisites) &&
        flag.prerequisites.length <= LIMITS.rules &&
        flag.prerequisites.every((test) => isFlagTest(test, names)))) &&
    Array.isArray(flag.rules) &&
    flag.rules.length <= LIMITS.rules &&
    flag.rules.every(isRule) &&
    (flag.fallthrough === undefined || isServe(flag.fallthrough))
  );
}

function isOfType(value, type) {
  return type === "number" ? Number.isFinite(value) : value !== null && typeof value === type;
}

function nesting(value) {
  return typeof value === "object" && value !== null ? 1 + Math.max(0, ...Object.values(value).map(nesting)) : 0;
}

function isSpace(space) {
  if (!isRecord(space) || !isText(space.salt)) return false;
  // No imported bucketing is registered here, so a space that needs one has no form.
  return (space.by === undefined || (isText(space.by) && space.by !== "")) && space.legacy === undefined;
}

function isTracks(tracks) {
  if (!isRecord(tracks) || isText(tracks.experiment) === isText(tracks.release)) return false;
  return tracks.epoch === undefined || Number.isSafeInteger(tracks.epoch);
}

function isDraw(draw, names) {
  if (!isRecord(draw) || !isText(draw.space) || !Array.isArray(draw.in) || draw.in.length > LIMITS.values) return false;
  names.spaces.push(draw.space);
  const isPpm = (value) => Number.isInteger(value) && value >= 0 && value <= 1_000_000;
  const isRange = (range) => Array.isArray(range) && range.length === 2 && range.every(isPpm) && range[0] <= range[1];
  return draw.in.every(isRange) && draw.in.every(([from], i) => i === 0 || draw.in[i - 1][1] <= from);
}

function isFlagTest(test, names) {
  if (!isRecord(test) || !isText(test.flag)) return false;
  names.ids.push(`flag ${test.flag}`);
  return Array.isArray(test.variants) && test.variants.length <= LIMITS.variants && test.variants.every(isText);
}

function isTest(test) {
  const known = isRecord(test) && isText(test.op) && Object.hasOwn(OPERATORS, test.op);
  return known && isText(test.attribute) && test.attribute !== "" && OPERATORS[test.op].takes(test.value);
}

const FORMS = ["all", "any", "not", "segment", "draw", "flag", "attribute"];

/** A condition says exactly one thing. */
function isCondition(condition, names, nesting) {
  if (!isRecord(condition) || nesting > LIMITS.conditionDepth || ++names.conditions > LIMITS.conditions) return false;
  const forms = FORMS.filter((form) => Object.hasOwn(condition, form));
  if (forms.length !== 1) return false;
  const value = condition[forms[0]];
  switch (forms[0]) {
    case "all":
    case "any":
      return Array.isArray(value) && value.every((inner) => isCondition(inner, names, nesting + 1));
    case "not":
      return isCondition(value, names, nesting + 1);
    case "segment":
      names.ids.push(`segment ${value}`);
      return isText(value);
    case "draw":
      return isDraw(value, names);
    case "flag":
      return isFlagTest(condition, names);
    default:
      return isTest(condition);
  }
}
