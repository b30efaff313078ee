/**
 * Why a flag decided as it did: the same nodes and the same leaf functions as deciding, walked once more with a record
 * kept, and told in words for a person at 3 a.m. Unlike deciding it asks every test, also those after the first no.
 */
import type {
  AttributePath,
  EvaluationContext,
  EvaluationErrorCode,
  FlagKey,
  Json,
  Operator,
  Ppm,
  Reason,
  Revision,
  VariantName,
} from "@belay/protocol";
import { readAttribute } from "./attribute.ts";
import { flagOutcome, flagServes, holds, INSIDE, legacyPosition, matches, NO_UNIT, serve, spaceOf, unitIn } from "./decide.ts";
import type { Defect } from "./defect.ts";
import { describe } from "./explain-words.ts";
import { hashAfter } from "./murmur3.ts";
import { matchTest } from "./operators.ts";
import { pointAt, positionOf } from "./placement.ts";
import type { Explainable } from "./preview.ts";
import {
  ALL,
  ANY,
  type CompiledDraw,
  type CompiledFlag,
  type CompiledFlagTest,
  type CompiledRule,
  type CompiledServe,
  type CompiledTest,
  DRAW,
  FLAG,
  NOT,
  type Node,
  type Outcome,
  SEGMENT,
  TEST,
} from "./program.ts";
import { Scope } from "./scope.ts";

/** One evaluation, told. `steps` is for machines, `lines` says the same for people. */
export interface Explanation {
  readonly flag: FlagKey;
  readonly project: string;
  readonly environment: string;
  readonly revision: Revision;
  readonly result: ExplainedResult;
  readonly steps: readonly ExplainedStep[];
  readonly lines: readonly string[];
}

export interface ExplainedResult {
  /** Absent: the caller's default. */
  readonly value?: Json;
  readonly variant?: VariantName;
  readonly reason: Reason;
  readonly ruleId?: string;
  readonly errorCode?: EvaluationErrorCode;
}

export type ExplainedStep =
  | { readonly step: "unknown" }
  | { readonly step: "malformed"; readonly defect: Defect }
  | { readonly step: "disabled"; readonly off?: VariantName }
  | { readonly step: "prerequisite"; readonly asks: ExplainedFlagTest; readonly off?: VariantName }
  | ExplainedRule
  | { readonly step: "fallthrough"; readonly serve?: ExplainedServe };

export interface ExplainedRule {
  readonly step: "rule";
  readonly id: string;
  readonly name?: string;
  /** Absent: the rule is for everybody. */
  readonly when?: ExplainedCondition;
  readonly matched: boolean;
  /** Present when the rule matched. */
  readonly serve?: ExplainedServe;
}

export interface ExplainedServe {
  /** The variant that was served; absent when no part held the unit. */
  readonly variant?: VariantName;
  /** The parts of a split up to the one that served. */
  readonly parts?: readonly {
    readonly variant: VariantName;
    readonly draws: readonly ExplainedDraw[];
    readonly holds: boolean;
  }[];
}

export type ExplainedCondition =
  | { readonly kind: "all" | "any" | "not"; readonly conditions: readonly ExplainedCondition[]; readonly holds: boolean }
  /** `condition` is told where the segment comes first, and absent where it comes again. */
  | { readonly kind: "segment"; readonly segment: string; readonly condition?: ExplainedCondition; readonly holds: boolean }
  | ({ readonly kind: "draw" } & ExplainedDraw)
  | ({ readonly kind: "flag" } & ExplainedFlagTest)
  | {
      readonly kind: "test";
      readonly attribute: AttributePath;
      readonly op: Operator;
      readonly value: Json;
      /** What the context holds there; absent when it is missing. */
      readonly seen?: Json;
      readonly holds: boolean;
    };

export interface ExplainedFlagTest {
  readonly flag: FlagKey;
  readonly variants: readonly VariantName[];
  /** The variant that flag serves the unit; absent when it serves none. */
  readonly served?: VariantName;
  readonly holds: boolean;
}

export interface ExplainedDraw {
  readonly space: string;
  readonly salt: string;
  /** The attribute that is the unit. */
  readonly by: AttributePath;
  /** Absent: the context has no such unit, so there is no point either. */
  readonly unit?: string;
  /** 0 to 999,999. */
  readonly point?: number;
  readonly in: readonly (readonly [Ppm, Ppm])[];
  readonly holds: boolean;
}

/** Explanations are numbered downwards from -1, so that nothing remembered is shared with an evaluation. */
let lastTick = 0;

/**
 * Tells how the flag decides for the context. Counts no evaluation, records no exposure, never throws.
 *
 * @example
 * for (const line of explain(ruleset, "checkout-v2", { targetingKey: "user-42" }).lines) console.log(line);
 */
export function explain(rules: Explainable, key: FlagKey, context: EvaluationContext): Explanation {
  const known = typeof context === "object" && context !== null ? context : {};
  const outcome = rules.peek(key, known);
  const steps = walk(rules, key, known);
  const told = {
    flag: key,
    project: rules.project,
    environment: rules.environment,
    revision: rules.revision,
    result: resultOf(outcome),
    steps,
  };
  return { ...told, lines: describe(told) };
}

function walk(rules: Explainable, key: FlagKey, context: EvaluationContext): ExplainedStep[] {
  const flag = rules.find(key);
  if (flag === undefined) return [{ step: "unknown" }];
  const defect = rules.defect(key);
  if (defect !== undefined) return [{ step: "malformed", defect }];
  const { program } = flag;
  const off = program.off.variant === undefined ? {} : { off: program.off.variant };
  if (!program.isEnabled) return [{ step: "disabled", ...off }];
  try {
    return new Walk(flag, context).steps(off);
  } catch {
    // A context that throws when read: the outcome's GENERAL says so.
    return [];
  }
}

class Walk {
  readonly #flag: CompiledFlag;
  readonly #scope = new Scope();
  /** Segments told in full: the second time the name is enough, or segments that fan out would multiply. */
  readonly #told = new Set<string>();

  constructor(flag: CompiledFlag, context: EvaluationContext) {
    this.#flag = flag;
    lastTick = (lastTick - 1) | 0 || -1;
    this.#scope.enter(context, lastTick);
  }

  steps(off: { readonly off?: VariantName }): ExplainedStep[] {
    const { prerequisites, rules, fallthrough } = this.#flag.program;
    const steps: ExplainedStep[] = [];
    for (const test of prerequisites) {
      const asks = this.#flagTest(test);
      steps.push({ step: "prerequisite", asks, ...(asks.holds ? {} : off) });
      if (!asks.holds) return steps;
    }
    for (const rule of rules) {
      const told = this.#rule(rule);
      steps.push(told);
      if (told.serve !== undefined && this.#isFinal(rule)) return steps;
    }
    steps.push({ step: "fallthrough", ...(fallthrough === undefined ? {} : { serve: this.#serve(fallthrough) }) });
    return steps;
  }

  /** Does the matching rule end the walk? Yes, unless its split holds no part for the unit. */
  #isFinal(rule: CompiledRule): boolean {
    return serve(rule, this.#flag, this.#scope) !== undefined;
  }

  #rule(rule: CompiledRule): ExplainedRule {
    const when = rule.when && this.#condition(rule.when, this.#flag);
    const matched = rule.when === undefined || matches(rule.when, this.#flag, this.#scope);
    return {
      step: "rule",
      id: rule.id,
      ...(rule.name === undefined ? {} : { name: rule.name }),
      ...(when === undefined ? {} : { when }),
      matched,
      ...(matched ? { serve: this.#serve(rule) } : {}),
    };
  }

  #serve(serves: CompiledServe): ExplainedServe {
    if (serves.parts === undefined) return variantOf(serves.outcome);
    const served = serve(serves, this.#flag, this.#scope);
    const upTo = serves.parts.findIndex((part) => part.outcome === served || (served === NO_UNIT && part.draws.length > 0));
    const parts = serves.parts.slice(0, upTo === -1 ? undefined : upTo + 1).map((part) => {
      const draws = part.draws.map((draw) => this.#draw(draw, this.#flag));
      return { variant: part.outcome.variant ?? "", draws, holds: draws.every((draw) => draw.holds) };
    });
    return { ...variantOf(served), parts };
  }

  /** `flag` is the owner of the condition: a segment has none. */
  #condition(node: Node, flag: CompiledFlag | undefined): ExplainedCondition {
    switch (node.kind) {
      case ALL:
      case ANY:
        return this.#group(node.kind === ALL ? "all" : "any", node.of, node, flag);
      case NOT:
        return this.#group("not", [node.of], node, flag);
      case SEGMENT: {
        const { key, node: inner } = node.of;
        const condition = inner === undefined || this.#told.has(key) ? undefined : this.#condition(inner, undefined);
        this.#told.add(key);
        const holds = matches(node, flag, this.#scope);
        return { kind: "segment", segment: key, ...(condition === undefined ? {} : { condition }), holds };
      }
      case DRAW:
        return { kind: "draw", ...this.#draw(node.of, flag) };
      case FLAG:
        return { kind: "flag", ...this.#flagTest(node.of) };
      case TEST:
        return this.#test(node.of);
    }
  }

  #group(kind: "all" | "any" | "not", inner: readonly Node[], node: Node, flag: CompiledFlag | undefined): ExplainedCondition {
    const conditions = inner.map((child) => this.#condition(child, flag));
    return { kind, conditions, holds: matches(node, flag, this.#scope) };
  }

  #test(test: CompiledTest): ExplainedCondition {
    const { context, isPlain } = this.#scope;
    const seen = toJson(readAttribute(test, context, isPlain));
    const { attribute, op, value } = test.source;
    return {
      kind: "test",
      attribute,
      op,
      value,
      ...(seen === undefined ? {} : { seen }),
      holds: matchTest(test, context, isPlain),
    };
  }

  #flagTest(test: CompiledFlagTest): ExplainedFlagTest {
    const { variant } = flagOutcome(test.ref, this.#scope);
    return {
      flag: test.ref.key,
      variants: test.variants,
      ...(variant === undefined ? {} : { served: variant }),
      holds: flagServes(test, this.#scope),
    };
  }

  #draw(draw: CompiledDraw, flag: CompiledFlag | undefined): ExplainedDraw {
    const space = spaceOf(draw, flag);
    const unit = unitIn(this.#scope, draw.by);
    const told = { space: draw.space, salt: space?.salt ?? "", by: draw.by.path, in: draw.inPpm };
    if (unit === undefined || space === undefined) return { ...told, holds: false };
    const position =
      draw.legacy === undefined ? positionOf(hashAfter(space, unit)) : legacyPosition(draw.legacy, space.salt, unit);
    return { ...told, unit, point: pointAt(position), holds: holds(draw, flag, this.#scope) === INSIDE };
  }
}

function variantOf(outcome: Outcome | undefined): { readonly variant?: VariantName } {
  return outcome?.variant === undefined ? {} : { variant: outcome.variant };
}

function resultOf({ value, variant, reason, ruleId, errorCode }: Outcome): ExplainedResult {
  return {
    ...(value === undefined ? {} : { value }),
    ...(variant === undefined ? {} : { variant }),
    reason,
    ...(ruleId === undefined ? {} : { ruleId }),
    ...(errorCode === undefined ? {} : { errorCode }),
  };
}

/** An attribute as JSON can carry it; what JSON cannot is named by its type. */
function toJson(value: unknown): Json | undefined {
  if (value === undefined) return undefined;
  try {
    const text = JSON.stringify(value);
    return text === undefined ? typeof value : (JSON.parse(text) as Json);
  } catch {
    return typeof value;
  }
}
