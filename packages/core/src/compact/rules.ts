/**
 * The decisions of `../decide.ts` in a fifth of the bytes: definitions become closures when they are first asked for.
 * For pages, where a microsecond costs nothing and a kilobyte does.
 *
 * It takes what `clientSnapshot` rendered, where malformed flags have been emptied: what the compiler checks is not
 * checked again here. A flag that nevertheless cannot be read costs itself alone.
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
import { own, readAttribute, readTest } from "./test.ts";

/** A snapshot that decides. */
export interface CompactRules {
  /**
   * The flag's outcome for a context. Never throws, whatever it is given: a malformed flag answers the caller's default
   * with `PARSE_ERROR`, an unknown one with `FLAG_NOT_FOUND`, a context that throws when it is read with `GENERAL`.
   */
  decide(key: FlagKey, context: EvaluationContext): Outcome;
}

/** A constant made when the flag is read; deciding picks one. */
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
  /** Who is exposed: the unit of the part's last draw. */
  unit(context: EvaluationContext): string | undefined;
}

/** One evaluation: who asks, and what flags and segments have answered so far, so that chains do not multiply. */
interface Walk {
  readonly context: EvaluationContext;
  readonly answers: Map<unknown, unknown>;
}

type Ask<T> = (walk: Walk) => T;

/** Whether the unit's point lies inside; `undefined` where there is no unit. */
type DrawAsk = Ask<boolean | undefined>;
type Unit = Tracked["unit"];

/** The caller's default, and why. */
export const failure = (errorCode: EvaluationErrorCode): Outcome => ({ reason: "ERROR", errorCode });
const NO_UNIT = failure("TARGETING_KEY_MISSING");

/**
 * @example
 * rulesOf(snapshot).decide("checkout-v2", { targetingKey: "user-42" }).value;
 */
export function rulesOf({ flags, segments, spaces }: Snapshot): CompactRules {
  const asks = new Map<unknown, Ask<unknown>>();

  /** Reads a definition once and answers it once an evaluation. */
  const remembered =
    <T, Definition>(definition: Definition, read: (definition: Definition) => Ask<T>) =>
    (walk: Walk): T => {
      if (!walk.answers.has(definition)) {
        if (!asks.has(definition)) asks.set(definition, read(definition));
        walk.answers.set(definition, (asks.get(definition) as Ask<T>)(walk));
      }
      return walk.answers.get(definition) as T;
    };

  const flagAsk = (key: FlagKey): Ask<Outcome> =>
    Object.hasOwn(flags, key) ? remembered(flags[key] as SnapshotFlag, readWhole) : () => failure("FLAG_NOT_FOUND");

  const readWhole = (flag: SnapshotFlag): Ask<Outcome> => {
    try {
      return readFlag(flag);
    } catch {
      return () => failure("PARSE_ERROR");
    }
  };

  const readFlag = ({ spaces, variants, enabled, off, prerequisites = [], rules, fallthrough }: SnapshotFlag): Ask<Outcome> => {
    const outcome = (variant: string, reason: Reason, ruleId?: string, tracks?: Tracked): Outcome => ({
      value: freeze(own(variants, variant) as Json | undefined),
      variant,
      reason,
      ruleId,
      tracks,
    });
    const needs = prerequisites.map(readFlagTest);

    /** What is served; `undefined` where no part of a split holds the unit. */
    const readServe = (serve: Serve, reason: Reason, id?: string): Ask<Outcome | undefined> => {
      if ("variant" in serve) {
        const plain = outcome(serve.variant, reason, id);
        return () => plain;
      }
      const parts = serve.split.map(({ variant, draws, tracks }) => {
        const read = draws.map((draw) => readDraw(draw, spaces));
        const unit = read.at(-1)?.[1] ?? unitBy();
        return [
          read.map(([holds]) => holds),
          outcome(variant, "SPLIT", id, tracks && { arm: { ...tracks, variant }, unit }),
        ] as const;
      });
      return (walk) => {
        for (const [draws, picked] of parts) {
          let holds: boolean | undefined = true;
          for (const draw of draws) if (holds) holds = draw(walk);
          if (holds) return picked;
          if (holds === undefined) return NO_UNIT;
        }
        return undefined;
      };
    };

    const steps = rules.map(({ id, when, serve }) => {
      const holds = when && readCondition(when, spaces);
      const served = readServe(serve, "TARGETING_MATCH", id);
      return (walk: Walk) => (holds && !holds(walk) ? undefined : served(walk));
    });
    if (fallthrough) steps.push(readServe(fallthrough, rules.length + needs.length > 0 ? "DEFAULT" : "STATIC"));
    const offOutcome: Outcome = off === undefined ? { reason: "DISABLED" } : outcome(off, "DISABLED");
    return (walk) => {
      if (!enabled || !needs.every((need) => need(walk))) return offOutcome;
      for (const step of steps) {
        const served = step(walk);
        if (served) return served;
      }
      return { reason: "DEFAULT" };
    };
  };

  const readFlagTest = ({ flag, variants }: FlagTest): Ask<boolean> => {
    const ask = flagAsk(flag);
    return (walk) => variants.includes(ask(walk).variant as string);
  };

  const readDraw = ({ space, in: ranges }: Draw, mine: SnapshotFlag["spaces"]): readonly [DrawAsk, Unit] => {
    const { salt, by } = (own(mine, space) ?? own(spaces, space)) as Space;
    const unit = unitBy(by);
    const holds: DrawAsk = ({ context }) => {
      const text = unit(context);
      if (text === undefined) return undefined;
      const point = pointOf(salt, text);
      return ranges.some(([from, to]) => from <= point && point < to);
    };
    return [holds, unit];
  };

  const readCondition = (condition: Condition, mine: SnapshotFlag["spaces"]): Ask<boolean> => {
    const inner = (each: Condition): Ask<boolean> => readCondition(each, mine);
    if ("all" in condition) {
      const all = condition.all.map(inner);
      return (walk) => all.every((holds) => holds(walk));
    }
    if ("any" in condition) {
      const any = condition.any.map(inner);
      return (walk) => any.some((holds) => holds(walk));
    }
    if ("not" in condition) {
      const holds = inner(condition.not);
      return (walk) => !holds(walk);
    }
    if ("segment" in condition)
      return remembered(own(segments, condition.segment) as Condition, (segment) => readCondition(segment, {}));
    if ("draw" in condition) {
      const [holds] = readDraw(condition.draw, mine);
      return (walk) => !!holds(walk);
    }
    if ("flag" in condition) return readFlagTest(condition);
    const holds = readTest(condition);
    return ({ context }) => holds(context);
  };

  return {
    decide: (key, context) => {
      try {
        const known = typeof context === "object" && context !== null ? context : {};
        return flagAsk(key)({ context: known, answers: new Map() });
      } catch {
        return failure("GENERAL");
      }
    },
  };
}

function unitBy(by = "targetingKey"): Unit {
  const read = readAttribute(by);
  return (context) => unitText(read(context));
}

/** One caller's change to a value it was given must not reach the next caller. */
function freeze(value: Json | undefined): Json | undefined {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(freeze);
  return value;
}
