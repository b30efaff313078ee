/**
 * Deciding without a scope: flags whose rules ask for attributes and for the unit's place in the flag's first space, and
 * for nothing that another evaluation could have answered already. That is most targeting there is, and what a scope
 * remembers, and the calls that it is handed through, cost as much as the hash.
 */
import type { EvaluationContext } from "@belay/protocol";
import { outcomeAt } from "./decide.ts";
import { hashAfter } from "./murmur3.ts";
import { matchTest } from "./operators.ts";
import { type Position, positionOf } from "./placement.ts";
import {
  ALL,
  type CompiledDraw,
  type CompiledPart,
  type CompiledRule,
  type CompiledServe,
  type Node,
  type Outcome,
  type Program,
  type SpaceState,
  TEST,
} from "./program.ts";

/** Can rules without prerequisites be decided so? */
export function isDirect(rules: readonly CompiledRule[], fallthrough: CompiledServe | undefined): boolean {
  return rules.every(({ when }) => when === undefined || asksTests(when)) && [...rules, fallthrough].every(isPlacedOnce);
}

/**
 * As `decideFlag`, for a program that is direct.
 *
 * @param context a plain object; `unit` is its `targetingKey`, a text that is not empty
 */
export function decideDirect(program: Program, space: SpaceState | undefined, unit: string, context: EvaluationContext): Outcome {
  const { rules, fallthrough, none } = program;
  let position: Position = 0;
  let isPlaced = false;
  for (let i = 0; i < rules.length; i++) {
    const rule = rules[i] as CompiledRule;
    if (rule.when !== undefined && !testsHold(rule.when, context)) continue;
    if (rule.outcome !== undefined) return rule.outcome;
    if (!isPlaced) {
      position = positionOf(hashAfter(space as SpaceState, unit));
      isPlaced = true;
    }
    const outcome = splitAt(rule, position);
    if (outcome !== undefined) return outcome;
  }
  if (fallthrough === undefined) return none;
  if (fallthrough.outcome !== undefined) return fallthrough.outcome;
  if (!isPlaced) position = positionOf(hashAfter(space as SpaceState, unit));
  return splitAt(fallthrough, position) ?? none;
}

/** Conditions are one test or a list of them that must all hold: no recursion, which V8 never inlines. */
function testsHold(when: Node, context: EvaluationContext): boolean {
  if (when.kind === TEST) return matchTest(when.of, context, true);
  const tests = when.of as readonly Extract<Node, { kind: typeof TEST }>[];
  for (let i = 0; i < tests.length; i++) {
    if (!matchTest((tests[i] as (typeof tests)[number]).of, context, true)) return false;
  }
  return true;
}

function splitAt({ line, parts }: CompiledServe, position: Position): Outcome | undefined {
  if (line !== undefined) return outcomeAt(line, position);
  const { draws, outcome } = (parts as readonly CompiledPart[])[0] as CompiledPart;
  const { from, last } = draws[0] as CompiledDraw;
  return position >= from && position <= last ? outcome : undefined;
}

function asksTests(when: Node): boolean {
  return when.kind === TEST || (when.kind === ALL && when.of.every(({ kind }) => kind === TEST));
}

/** A plain variant, a line, or a single draw of one range. */
function isPlacedOnce(serve: CompiledServe | undefined): boolean {
  if (serve === undefined || serve.outcome !== undefined) return true;
  if (serve.line !== undefined) return isUsual(serve.line.draw);
  const [part, ...others] = serve.parts ?? [];
  const [draw, ...more] = part?.draws ?? [];
  return draw !== undefined && others.length + more.length === 0 && draw.ranges === undefined && isUsual(draw);
}

/** Is the flag's own first space divided by the `targetingKey`, and with our own hash? */
export function isUsual(draw: CompiledDraw): boolean {
  return draw.own === 0 && draw.by.path === "targetingKey" && draw.legacy === undefined;
}
