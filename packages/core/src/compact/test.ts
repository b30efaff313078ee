/** The operators of `../operators.ts`: both sides become keys, and a comparison of keys answers. */
import type { EvaluationContext, Operator, Test } from "@belay/protocol";
import { addressKey, blockKey, instantKey, textKey, versionKey } from "./keys.ts";

/** What is compared, always with a key of its own type; `undefined` where the value has none. */
type Key = string | number | boolean | undefined;

type Maker = (value: unknown) => Key;
type Holds = (seen: never, wanted: never) => boolean;

/** An attribute by its own name or its dotted path; own properties only, and `null` is missing. */
export function readAttribute(context: EvaluationContext, path: string): unknown {
  const named = own(context, path);
  return (named === undefined ? path.split(".").reduce(own, context) : named) ?? undefined;
}

/** An own property: what an object inherits is no definition and no attribute. */
export function own(of: unknown, name: string): unknown {
  return typeof of === "object" && of !== null && Object.hasOwn(of, name) ? (of as Record<string, unknown>)[name] : undefined;
}

/** Whether a test holds for a context; throws for `matches`, whose engine is not for browsers. */
export function testHolds({ attribute, op, value }: Test, context: EvaluationContext): boolean {
  const seen = readAttribute(context, attribute);
  if (op === "exists") return (seen !== undefined) === value;
  const [holds, keyOf, wantedKeyOf = keyOf] = OPERATORS[op as keyof typeof OPERATORS];
  const wanted = [value].flat().map(wantedKeyOf);
  const ask = (each: unknown): boolean => {
    const key = keyOf(each);
    return wanted.some((one) => typeof key === typeof one && holds(key as never, one as never));
  };
  return seen !== undefined && [seen].flat().some(ask);
}

/** How keys compare, how a value becomes one, and a rule's value where that is another way. */
type Compared = readonly [holds: Holds, keyOf: Maker, wantedKeyOf?: Maker];

const equals = (a: Key, b: Key): boolean => a === b;
const lt = (a: number, b: number): boolean => a < b;
const lte = (a: number, b: number): boolean => a <= b;
const gt = (a: number, b: number): boolean => a > b;
const gte = (a: number, b: number): boolean => a >= b;
const startsWith = (a: string, b: string): boolean => a.startsWith(b);

const ofText =
  (key: (text: string) => Key): Maker =>
  (value) =>
    typeof value === "string" ? key(value) : undefined;
const itself: Maker = (value) => value as Key;
const ordered: Maker = (value) => (typeof value === "string" ? textKey(value) : (value as Key));
const instant: Maker = (value) => (value instanceof Date ? value.getTime() : ofText(instantKey)(value));
const version = ofText(versionKey);

const OPERATORS: { readonly [name in Exclude<Operator, "exists" | "matches">]: Compared } = {
  in: [equals, itself],
  contains: [(a: string, b: string) => a.includes(b), itself],
  startsWith: [startsWith, itself],
  endsWith: [(a: string, b: string) => a.endsWith(b), itself],
  lt: [lt, ordered],
  lte: [lte, ordered],
  gt: [gt, ordered],
  gte: [gte, ordered],
  before: [lt, instant],
  after: [gt, instant],
  semverEq: [equals, version],
  semverLt: [lt, version],
  semverLte: [lte, version],
  semverGt: [gt, version],
  semverGte: [gte, version],
  cidr: [startsWith, ofText(addressKey), ofText(blockKey)],
};
