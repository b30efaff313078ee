/**
 * Deciding: walks a compiled flag and picks one of its outcomes. No allocation, no strings built, no exceptions made.
 *
 * `tick` numbers the evaluation. Whatever is remembered within one (a unit's place in a space, a segment's answer, a
 * prerequisite's outcome) carries the tick it was found at, so nothing has to be cleared and a context whose getter
 * evaluates another flag in between does no harm. Remembering also keeps chains that fan out from multiplying.
 */
import type { EvaluationContext, EvaluationErrorCode } from "@belay/protocol";
import { type AttributeReader, readAttribute, unitText } from "./attribute.ts";
import { hashAfter } from "./murmur3.ts";
import { matchTest } from "./operators.ts";
import { firstPosition, type Position, positionOf } from "./placement.ts";
import {
  ALL,
  ANY,
  type CompiledDraw,
  type CompiledFlag,
  type CompiledFlagTest,
  type CompiledPart,
  DRAW,
  FLAG,
  type FlagRef,
  NOT,
  type Node,
  type Outcome,
  SEGMENT,
  type SegmentRef,
  type SpaceState,
  TEST,
} from "./program.ts";

function error(errorCode: EvaluationErrorCode): Outcome {
  return { value: undefined, variant: undefined, reason: "ERROR", ruleId: undefined, errorCode, tracks: undefined, slot: 0 };
}

export const UNKNOWN_FLAG: Outcome = error("FLAG_NOT_FOUND");
export const MALFORMED_FLAG: Outcome = error("PARSE_ERROR");
export const NO_UNIT: Outcome = error("TARGETING_KEY_MISSING");
/** The context itself failed, for example in a getter. */
export const FAULT: Outcome = error("GENERAL");

/** The outcome of a flag for a context, by its gate or its program. */
export function decideFlag(flag: CompiledFlag, context: EvaluationContext, tick: number): Outcome {
  return flag.gate ?? runProgram(flag, context, tick);
}

function runProgram(flag: CompiledFlag, context: EvaluationContext, tick: number): Outcome {
  const { program } = flag;
  const { prerequisites, rules, fallthrough } = program;
  for (let i = 0; i < prerequisites.length; i++) {
    if (!flagServes(prerequisites[i] as CompiledFlagTest, context, tick)) return program.off;
  }
  for (let i = 0; i < rules.length; i++) {
    const rule = rules[i];
    if (rule === undefined || (rule.when !== undefined && !matches(rule.when, flag, context, tick))) continue;
    const outcome = rule.outcome ?? pickPart(rule.parts as readonly CompiledPart[], flag, context, tick);
    if (outcome !== undefined) return outcome;
  }
  if (fallthrough === undefined) return program.none;
  return fallthrough.outcome ?? pickPart(fallthrough.parts as readonly CompiledPart[], flag, context, tick) ?? program.none;
}

/** The first part whose draws all hold the unit; `undefined` where none does, `NO_UNIT` where a draw has no unit to place. */
export function pickPart(
  parts: readonly CompiledPart[],
  flag: CompiledFlag,
  context: EvaluationContext,
  tick: number,
): Outcome | undefined {
  for (let i = 0; i < parts.length; i++) {
    const { draws, outcome } = parts[i] as CompiledPart;
    let isHeld = true;
    for (let j = 0; isHeld && j < draws.length; j++) {
      const placed = holds(draws[j] as CompiledDraw, flag, context, tick);
      if (placed === UNPLACED) return NO_UNIT;
      isHeld = placed === INSIDE;
    }
    if (isHeld) return outcome;
  }
  return undefined;
}

/** Does the condition hold? `flag` gives the own spaces of draws; a segment has none. */
export function matches(node: Node, flag: CompiledFlag | undefined, context: EvaluationContext, tick: number): boolean {
  switch (node.kind) {
    case TEST:
      return node.test !== undefined && matchTest(node.test, context);
    case ALL:
      for (let i = 0; i < node.children.length; i++) if (!matches(node.children[i] as Node, flag, context, tick)) return false;
      return true;
    case ANY:
      for (let i = 0; i < node.children.length; i++) if (matches(node.children[i] as Node, flag, context, tick)) return true;
      return false;
    case NOT:
      return !matches(node.children[0] as Node, flag, context, tick);
    case SEGMENT:
      return segmentMatches(node.segment as SegmentRef, context, tick);
    case DRAW:
      return holds(node.draw as CompiledDraw, flag, context, tick) === INSIDE;
    case FLAG:
      return flagServes(node.flag as CompiledFlagTest, context, tick);
  }
}

export function segmentMatches(segment: SegmentRef, context: EvaluationContext, tick: number): boolean {
  if (segment.tick === tick) return segment.matches;
  const answer = segment.node !== undefined && matches(segment.node, undefined, context, tick);
  segment.matches = answer;
  segment.tick = tick;
  return answer;
}

export function flagServes(test: CompiledFlagTest, context: EvaluationContext, tick: number): boolean {
  const { variant } = flagOutcome(test.ref, context, tick);
  return variant !== undefined && test.variants.includes(variant);
}

export function flagOutcome(ref: FlagRef, context: EvaluationContext, tick: number): Outcome {
  if (ref.tick === tick && ref.outcome !== undefined) return ref.outcome;
  const outcome = ref.flag === undefined ? UNKNOWN_FLAG : decideFlag(ref.flag, context, tick);
  ref.outcome = outcome;
  ref.tick = tick;
  return outcome;
}

export const OUTSIDE = 0;
export const INSIDE = 1;
/** There is no unit to place. */
export const UNPLACED = 2;

/** Does the unit's point lie in the draw's ranges? */
export function holds(draw: CompiledDraw, flag: CompiledFlag | undefined, context: EvaluationContext, tick: number): 0 | 1 | 2 {
  const space = spaceOf(draw, flag);
  if (space === undefined) return OUTSIDE;
  let position: Position;
  if (draw.isReused && space.tick === tick) position = space.position;
  else {
    const unit = unitOf(draw.by, context);
    if (unit === undefined) return UNPLACED;
    position = draw.legacy === undefined ? positionOf(hashAfter(space, unit)) : legacyPosition(draw.legacy, space.salt, unit);
    if (draw.isReused) {
      space.position = position;
      space.tick = tick;
    }
  }
  if (position < draw.from || position > draw.last) return OUTSIDE;
  return draw.ranges === undefined || isInRanges(draw.ranges, position) ? INSIDE : OUTSIDE;
}

export function spaceOf(draw: CompiledDraw, flag: CompiledFlag | undefined): SpaceState | undefined {
  if (draw.shared !== undefined) return draw.shared.state;
  if (draw.own === 0) return flag?.space0;
  return draw.own === 1 ? flag?.space1 : flag?.spaces?.[draw.own];
}

/** The unit's text. The usual attribute is read by its literal name, which V8 caches; a computed name it looks up. */
export function unitOf(by: AttributeReader, context: EvaluationContext): string | undefined {
  if (by.path === "targetingKey" && Object.getPrototypeOf(context) === Object.prototype) {
    const unit = context.targetingKey;
    return typeof unit === "string" && unit !== "" ? unit : unitText(unit);
  }
  return unitText(readAttribute(by, context));
}

export function legacyPosition(legacy: NonNullable<CompiledDraw["legacy"]>, salt: string, unit: string): Position {
  const text = legacy.text.replace(/\{(salt|unit)\}/g, (_, name) => (name === "salt" ? salt : unit));
  return firstPosition(legacy.place(text, legacy.points), legacy.points);
}

function isInRanges(ranges: Int32Array, position: Position): boolean {
  for (let i = 0; i < ranges.length; i += 2) {
    if (position >= (ranges[i] as number) && position <= (ranges[i + 1] as number)) return true;
  }
  return false;
}
