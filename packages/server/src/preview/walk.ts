import { canonicalJson } from "@belay/core";
import type {
  Condition,
  Draw,
  FlagKey,
  FlagTest,
  Json,
  SegmentKey,
  Serve,
  SnapshotFlag,
  Space,
  SpaceId,
  Tracks,
  VariantName,
} from "@belay/protocol";
import type { Ranges } from "./ranges.ts";

/**
 * Deciding without a unit: the same order as core's `decide.ts`, but where core would look at the unit this asks. Whoever
 * measures answers each question both ways. A test of an attribute has an answer nobody knows; a draw has one whose share
 * is known exactly. It stands here and not in core because no application ever needs it.
 */

/** What a walk asks. Equal ids are one question: before and after an edit they have the same answer. */
export type Question =
  | { readonly kind: "test"; readonly id: string }
  /** `axis` names the space by what it is, so that a new salt is another axis and a new name is not. */
  | { readonly kind: "draw"; readonly axis: string; readonly ranges: Ranges };

/** What one environment's decisions need. */
export interface Definitions {
  readonly flag: (key: FlagKey) => SnapshotFlag | undefined;
  readonly segment: (key: SegmentKey) => Condition | undefined;
  readonly space: (id: SpaceId) => Space | undefined;
}

/** Which part of a targeting serves a unit, and what. */
export interface Served {
  readonly place: "rule" | "fallthrough" | "off";
  /** Id of the rule. */
  readonly rule?: string;
  /** Absent: the caller's default. */
  readonly variant?: VariantName;
  readonly tracks?: Tracks;
}

type Walk<T> = Generator<Question, T, boolean>;

/** Decides a flag by asking. Names that do not exist hold for nobody, as in core. */
export function walk(definitions: Definitions, key: FlagKey): Walk<Served> {
  return new Walker(definitions).flag(key);
}

class Walker {
  readonly #definitions: Definitions;
  /** Answers found in this walk: chains that fan out must not multiply. A flag being decided serves nothing to itself. */
  readonly #flags = new Map<FlagKey, Served>();
  readonly #segments = new Map<SegmentKey, boolean>();

  constructor(definitions: Definitions) {
    this.#definitions = definitions;
  }

  *flag(key: FlagKey): Walk<Served> {
    const known = this.#flags.get(key);
    if (known !== undefined) return known;
    this.#flags.set(key, { place: "off" });
    const flag = this.#definitions.flag(key);
    const served: Served = flag === undefined ? { place: "off" } : yield* this.#decide(flag);
    this.#flags.set(key, served);
    return served;
  }

  *#decide(flag: SnapshotFlag): Walk<Served> {
    const off: Served = { place: "off", ...(flag.off === undefined ? {} : { variant: flag.off }) };
    if (!flag.enabled) return off;
    for (const test of flag.prerequisites ?? []) if (!(yield* this.#flagTest(test))) return off;
    for (const { id, when, serve } of flag.rules) {
      if (when !== undefined && !(yield* this.#condition(when, flag))) continue;
      const served = yield* this.#serve(serve, flag);
      if (served !== undefined) return { place: "rule", rule: id, ...served };
    }
    const last = flag.fallthrough === undefined ? undefined : yield* this.#serve(flag.fallthrough, flag);
    return { place: "fallthrough", ...last };
  }

  *#serve(serve: Serve, flag: SnapshotFlag): Walk<Pick<Served, "variant" | "tracks"> | undefined> {
    if ("variant" in serve) return serve;
    for (const { variant, draws, tracks } of serve.split) {
      let holds = true;
      for (const draw of draws) holds = holds && (yield* this.#draw(draw, flag));
      if (holds) return { variant, ...(tracks === undefined ? {} : { tracks }) };
    }
    return undefined;
  }

  /** `flag` is the owner of the condition: a segment has none, and so no spaces of its own. */
  *#condition(condition: Condition, flag: SnapshotFlag | undefined): Walk<boolean> {
    if ("all" in condition) {
      for (const inner of condition.all) if (!(yield* this.#condition(inner, flag))) return false;
      return true;
    }
    if ("any" in condition) {
      for (const inner of condition.any) if (yield* this.#condition(inner, flag)) return true;
      return false;
    }
    if ("not" in condition) return !(yield* this.#condition(condition.not, flag));
    if ("segment" in condition) return yield* this.#segment(condition.segment);
    if ("draw" in condition) return yield* this.#draw(condition.draw, flag);
    if ("flag" in condition) return yield* this.#flagTest(condition);
    return yield { kind: "test", id: textOf(condition) };
  }

  *#segment(key: SegmentKey): Walk<boolean> {
    const known = this.#segments.get(key);
    if (known !== undefined) return known;
    this.#segments.set(key, false);
    const condition = this.#definitions.segment(key);
    const holds = condition !== undefined && (yield* this.#condition(condition, undefined));
    this.#segments.set(key, holds);
    return holds;
  }

  *#flagTest({ flag, variants }: FlagTest): Walk<boolean> {
    const { variant } = yield* this.flag(flag);
    return variant !== undefined && variants.includes(variant);
  }

  *#draw({ space: id, in: ranges }: Draw, flag: SnapshotFlag | undefined): Walk<boolean> {
    const own = flag?.spaces;
    const space = own !== undefined && Object.hasOwn(own, id) ? own[id] : this.#definitions.space(id);
    return space !== undefined && (yield { kind: "draw", axis: axisOf(space), ranges });
  }
}

/** What a space does not say it is divided by, is divided by `targetingKey`: to say so makes no other axis of it. */
function axisOf(space: Space): string {
  return textOf(space, () => ({ ...space, by: space.by ?? "targetingKey" }));
}

// Definitions are immutable, and a walk is taken again for every branch.
const texts = new WeakMap<object, string>();

function textOf<T extends object>(definition: T, meant: () => T = () => definition): string {
  const text = texts.get(definition) ?? canonicalJson(meant() as unknown as Json);
  texts.set(definition, text);
  return text;
}
