/**
 * The decisions of `../decide.ts` in a fifth of the bytes: definitions are read as they are, and each once a person.
 * For pages, where one person looks at a time: what was decided for them is remembered, so nothing is compiled.
 *
 * It takes what `clientSnapshot` rendered, where malformed flags have been emptied: what the compiler checks is not
 * checked again here.
 */
import type {
  Condition,
  Draw,
  EvaluationContext,
  EvaluationErrorCode,
  FlagKey,
  FlagTest,
  Json,
  Reason,
  Serve,
  Snapshot,
  SnapshotFlag,
  Space,
  Tracks,
} from "@belay/protocol";
import { unitText } from "../attribute.ts";
import { pointOf } from "./hash.ts";
import { own, readAttribute, testHolds } from "./test.ts";

/**
 * A flag's outcome for the context this was made with: decided when it is first asked for, the same object ever after,
 * whatever becomes of the context. Never throws: a malformed flag answers the caller's default with `PARSE_ERROR`, an
 * unknown one with `FLAG_NOT_FOUND`, a context that throws when it is read with `GENERAL`.
 */
export type Decide = (key: FlagKey) => Outcome;

/** What a flag serves, and why. */
export interface Outcome {
  /** Absent: the caller's default. */
  readonly value?: Json | undefined;
  readonly variant?: string | undefined;
  readonly reason: Reason;
  readonly ruleId?: string | undefined;
  readonly errorCode?: EvaluationErrorCode | undefined;
  /** What a first exposure is recorded for; absent where nothing is. */
  readonly tracks?: Tracked | undefined;
}

export interface Tracked {
  readonly arm: Tracks & { readonly variant: string };
  /** Who is exposed: the unit of the part's last draw. A function, so that the same answer to another is the same JSON. */
  unit(): string | undefined;
}

/** Spaces that a flag has of its own. */
type Spaces = SnapshotFlag["spaces"];

/** Whether the unit's point lies inside, and the unit; both `undefined` where there is none. */
type Drawn = readonly [holds?: boolean, unit?: string];

/** The caller's default, and why. */
export const failure = (errorCode: EvaluationErrorCode): Outcome => ({ reason: "ERROR", errorCode });

/**
 * @example
 * deciderOf(snapshot, { targetingKey: "user-42" })("checkout-v2").value;
 */
export function deciderOf({ flags, segments, spaces }: Snapshot, context: EvaluationContext): Decide {
  const answers = new Map<unknown, unknown>();

  /** Answers a definition once, so that chains of them do not multiply. */
  const once = <T, Definition>(definition: Definition, find: (definition: Definition) => T): T => {
    if (!answers.has(definition)) answers.set(definition, find(definition));
    return answers.get(definition) as T;
  };

  const outcomeOf = (key: FlagKey): Outcome => {
    const flag = own(flags, key);
    return flag === undefined ? failure("FLAG_NOT_FOUND") : once(flag as SnapshotFlag, decideFlag);
  };

  const decideFlag = ({
    spaces: mine,
    variants,
    enabled,
    off,
    prerequisites = [],
    rules,
    fallthrough,
  }: SnapshotFlag): Outcome => {
    const outcome = (variant: string, reason: Reason, ruleId?: string, tracks?: Tracked): Outcome => ({
      value: freeze(own(variants, variant) as Json | undefined),
      variant,
      reason,
      ruleId,
      tracks,
    });

    /** What is served; `undefined` where no part of a split holds the unit. */
    const served = (serve: Serve, reason: Reason, id?: string): Outcome | undefined => {
      if ("variant" in serve) return outcome(serve.variant, reason, id);
      for (const { variant, draws, tracks } of serve.split) {
        let [holds, unit]: Drawn = [true];
        for (const draw of draws) if (holds) [holds, unit] = drawn(draw, mine);
        if (holds === undefined) return failure("TARGETING_KEY_MISSING");
        const who = tracks && (unit ?? unitBy());
        if (holds) return outcome(variant, "SPLIT", id, tracks && { arm: { ...tracks, variant }, unit: () => who });
      }
      return undefined;
    };

    // Emptied: it was malformed.
    if (!rules) return failure("PARSE_ERROR");
    if (!enabled || !prerequisites.every(isServed)) {
      return off === undefined ? { reason: "DISABLED" } : outcome(off, "DISABLED");
    }
    for (const { id, when, serve } of rules) {
      const found = (!when || holds(when, mine)) && served(serve, "TARGETING_MATCH", id);
      if (found) return found;
    }
    const reason = rules.length + prerequisites.length > 0 ? "DEFAULT" : "STATIC";
    return (fallthrough && served(fallthrough, reason)) ?? { reason: "DEFAULT" };
  };

  const isServed = ({ flag, variants }: FlagTest): boolean => variants.includes(outcomeOf(flag).variant as string);

  const unitBy = (by = "targetingKey"): string | undefined => unitText(readAttribute(context, by));

  const drawn = ({ space, in: ranges }: Draw, mine: Spaces): Drawn => {
    const { salt, by } = (own(mine, space) ?? own(spaces, space)) as Space;
    const unit = unitBy(by);
    if (unit === undefined) return [];
    const point = pointOf(salt, unit);
    return [ranges.some(([from, to]) => from <= point && point < to), unit];
  };

  const holds = (condition: Condition, mine: Spaces): boolean => {
    const inner = (each: Condition): boolean => holds(each, mine);
    if ("all" in condition) return condition.all.every(inner);
    if ("any" in condition) return condition.any.some(inner);
    if ("not" in condition) return !inner(condition.not);
    if ("segment" in condition) return once(own(segments, condition.segment) as Condition, (segment) => holds(segment, {}));
    if ("draw" in condition) return !!drawn(condition.draw, mine)[0];
    return "flag" in condition ? isServed(condition) : testHolds(condition, context);
  };

  return (key) => {
    try {
      return outcomeOf(key);
    } catch {
      return failure("GENERAL");
    }
  };
}

/** One caller's change to a value it was given must not reach the next caller. */
function freeze(value: Json | undefined): Json | undefined {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(freeze);
  return value;
}
