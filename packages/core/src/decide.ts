/**
 * Deciding: walks a compiled flag and picks one of its outcomes. No allocation, no strings built, no exceptions made.
 *
 * A scope is one evaluation, numbered by its tick. Whatever is remembered within one (a unit's place in a space, a segment's answer, a
 * prerequisite's outcome) carries the tick it was found at, so nothing has to be cleared and a context whose getter
 * evaluates another flag in between does no harm. Remembering also keeps chains that fan out from multiplying.
 */
import type { EvaluationErrorCode } from "@belay/protocol";
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
  type CompiledRule,
  type CompiledServe,
  DRAW,
  FLAG,
  type FlagRef,
  type Line,
  NOT,
  type Node,
  type Outcome,
  SEGMENT,
  type SegmentRef,
  type SpaceState,
  TEST,
} from "./program.ts";
import type { Scope } from "./scope.ts";

function error(errorCode: EvaluationErrorCode): Outcome {
  return {
    value: undefined,
    variant: undefined,
    reason: "ERROR",
    ruleId: undefined,
    errorCode,
    tracks: undefined,
    untracked: undefined,
    slot: 0,
  };
}

export const UNKNOWN_FLAG: Outcome = error("FLAG_NOT_FOUND");
/** The same, for the first question about a key: who warns of unknown flags need remember nothing, and later ones are cheap. */
export const FIRST_MISS: Outcome = error("FLAG_NOT_FOUND");
export const MALFORMED_FLAG: Outcome = error("PARSE_ERROR");
/** The same, for the first question about a flag that was compiled for it: who reports defects learns of it here. */
export const FIRST_MALFORMED: Outcome = error("PARSE_ERROR");
export const NO_UNIT: Outcome = error("TARGETING_KEY_MISSING");
/** The context itself failed, for example in a getter. */
export const FAULT: Outcome = error("GENERAL");

/** The outcome of a flag for a context, by its gate or its program. */
export function decideFlag(flag: CompiledFlag, scope: Scope): Outcome {
  return flag.gate ?? runProgram(flag, scope);
}

function runProgram(flag: CompiledFlag, scope: Scope): Outcome {
  const { prerequisites, rules, fallthrough, off, none } = flag.program;
  for (let i = 0; i < prerequisites.length; i++) {
    if (!flagServes(prerequisites[i] as CompiledFlagTest, scope)) return off;
  }
  for (let i = 0; i < rules.length; i++) {
    const rule = rules[i] as CompiledRule;
    if (rule.when !== undefined && !matches(rule.when, flag, scope)) continue;
    const outcome = serve(rule, flag, scope);
    if (outcome !== undefined) return outcome;
  }
  return (fallthrough === undefined ? undefined : serve(fallthrough, flag, scope)) ?? none;
}

/** What is served; `undefined` where no part of a split holds the unit, `NO_UNIT` where there is none to place. */
export function serve(serves: CompiledServe, flag: CompiledFlag, scope: Scope): Outcome | undefined {
  if (serves.outcome !== undefined) return serves.outcome;
  const { line } = serves;
  if (line === undefined) return pickPart(serves.parts as readonly CompiledPart[], flag, scope);
  const space = spaceOf(line.draw, flag);
  if (space === undefined) return undefined;
  const position = place(line.draw, space, scope);
  return position === undefined ? NO_UNIT : outcomeAt(line, position);
}

/**
 * The outcome at a hash, on a line of one or two outcomes: a plain rollout.
 *
 * The boundary is counted, not searched: whether a unit is in or out is a coin toss to the processor, and a branch on it
 * would be mispredicted every second time, which costs a third of the hash. It stands in a field instead of a table,
 * `isAbove` is written out, and `BIAS` a numeral: so all of deciding but the hash fits into what V8 inlines (see `hashAfter`).
 */
export function outcomeOfTwo({ first, outcomes }: Line, hash: number): Outcome | undefined {
  const position = hash ^ 0x80000000;
  const difference = (first - position) | 0;
  return outcomes[(difference ^ ((first ^ position) & (difference ^ first))) >>> 31];
}

/** The outcome at a position, counted as above; the last boundary is the end of the space, so there is one. */
export function outcomeAt({ lasts, outcomes }: Line, position: Position): Outcome | undefined {
  if (lasts.length > COUNTED_BOUNDARIES) return outcomes[halve(lasts, position)];
  let at = 0;
  for (let i = 0; i < lasts.length - 1; i++) at += isAbove(position, lasts[i] as number);
  return outcomes[at];
}

/** 1 if `a > b`, else 0, for 32-bit integers, in arithmetic: the sign of b - a, corrected where that overflows. */
function isAbove(a: number, b: number): number {
  const difference = (b - a) | 0;
  return (difference ^ ((b ^ a) & (difference ^ b))) >>> 31;
}

/** Index of the first boundary at or above the position. */
function halve(lasts: readonly Position[], position: Position): number {
  let low = 0;
  let high = lasts.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (position <= (lasts[middle] as number)) high = middle;
    else low = middle + 1;
  }
  return low;
}

const COUNTED_BOUNDARIES = 8;
const TARGETING_KEY = "targetingKey";

/** The first part whose draws all hold the unit. */
function pickPart(parts: readonly CompiledPart[], flag: CompiledFlag, scope: Scope): Outcome | undefined {
  for (let i = 0; i < parts.length; i++) {
    const { draws, outcome } = parts[i] as CompiledPart;
    let isHeld = true;
    for (let j = 0; isHeld && j < draws.length; j++) {
      const placed = holds(draws[j] as CompiledDraw, flag, scope);
      if (placed === UNPLACED) return NO_UNIT;
      isHeld = placed === INSIDE;
    }
    if (isHeld) return outcome;
  }
  return undefined;
}

/** Does the condition hold? `flag` gives the own spaces of draws; a segment has none. */
export function matches(node: Node, flag: CompiledFlag | undefined, scope: Scope): boolean {
  switch (node.kind) {
    case TEST:
      return matchTest(node.of, scope.context, scope.isPlain);
    case ALL:
      for (let i = 0; i < node.of.length; i++) {
        const child = node.of[i] as Node;
        // Asked here, not by recursion: V8 inlines no function into itself, and a test is what most conditions are.
        const holds = child.kind === TEST ? matchTest(child.of, scope.context, scope.isPlain) : matches(child, flag, scope);
        if (!holds) return false;
      }
      return true;
    case ANY:
      for (let i = 0; i < node.of.length; i++) if (matches(node.of[i] as Node, flag, scope)) return true;
      return false;
    case NOT:
      return !matches(node.of, flag, scope);
    case SEGMENT:
      return segmentMatches(node.of, scope);
    case DRAW:
      return holds(node.of, flag, scope) === INSIDE;
    case FLAG:
      return flagServes(node.of, scope);
  }
}

function segmentMatches(segment: SegmentRef, scope: Scope): boolean {
  if (segment.tick === scope.tick) return segment.matches;
  const answer = segment.node !== undefined && matches(segment.node, undefined, scope);
  segment.matches = answer;
  segment.tick = scope.tick;
  return answer;
}

export function flagServes(test: CompiledFlagTest, scope: Scope): boolean {
  const { variant } = flagOutcome(test.ref, scope);
  return variant !== undefined && test.variants.includes(variant);
}

export function flagOutcome(ref: FlagRef, scope: Scope): Outcome {
  if (ref.tick === scope.tick && ref.outcome !== undefined) return ref.outcome;
  const outcome = ref.flag === undefined ? UNKNOWN_FLAG : decideFlag(ref.flag, scope);
  ref.outcome = outcome;
  ref.tick = scope.tick;
  return outcome;
}

const OUTSIDE = 0;
export const INSIDE = 1;
/** There is no unit to place. */
const UNPLACED = 2;

/** Does the unit's point lie in the draw's ranges? */
export function holds(draw: CompiledDraw, flag: CompiledFlag | undefined, scope: Scope): 0 | 1 | 2 {
  const space = spaceOf(draw, flag);
  if (space === undefined) return OUTSIDE;
  const position = place(draw, space, scope);
  if (position === undefined) return UNPLACED;
  if (position < draw.from || position > draw.last) return OUTSIDE;
  return draw.ranges === undefined || isInRanges(draw.ranges, position) ? INSIDE : OUTSIDE;
}

/** The unit's position; `undefined` when there is no unit. */
function place(draw: CompiledDraw, space: SpaceState, scope: Scope): Position | undefined {
  if (draw.isReused && space.tick === scope.tick) return space.position;
  const unit = unitIn(scope, draw.by);
  if (unit === undefined) return undefined;
  const position = draw.legacy === undefined ? positionOf(hashAfter(space, unit)) : legacyPosition(draw.legacy, space.salt, unit);
  if (draw.isReused) {
    space.position = position;
    space.tick = scope.tick;
  }
  return position;
}

export function spaceOf(draw: CompiledDraw, flag: CompiledFlag | undefined): SpaceState | undefined {
  if (draw.shared !== undefined) return draw.shared.state;
  return draw.own === 0 ? flag : flag?.spaces?.[draw.own];
}

/** The text of the unit that `by` names. */
export function unitIn(scope: Scope, by: AttributeReader): string | undefined {
  if (scope.isPlain && by.path === TARGETING_KEY) return unitText(scope.targetingKey);
  return unitText(readAttribute(by, scope.context, scope.isPlain));
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
