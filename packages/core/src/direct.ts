/**
 * Deciding without a scope: flags whose rules ask for attributes and for the unit's place in the flag's first space, and
 * for nothing that another evaluation could have answered already. That is most targeting there is, and what a scope
 * remembers, and the calls that it is handed through, cost as much as the hash.
 *
 *     rule  country in ..., version >= ...   20 % -> on   ┐   tests: country, version   line  on ─┤── off ──────
 *     fallthrough                            off          ┘   no tests                  outcome   off
 */
import type { EvaluationContext } from "@belay/protocol";
import { outcomeAt, outcomeOfTwo } from "./decide.ts";
import { foldLines, lineOf } from "./line.ts";
import { hashAfter } from "./murmur3.ts";
import { allMatch } from "./operators.ts";
import { positionOf } from "./placement.ts";
import {
  ALL,
  type CompiledDraw,
  type CompiledFlag,
  type CompiledRule,
  type CompiledServe,
  type CompiledTest,
  type DirectStep,
  type Line,
  type Node,
  type Outcome,
  TEST,
} from "./program.ts";

// By names of this module, which V8 takes for constants: an imported one is looked up at each call.
const [hash, match, pick, pickOfTwo] = [hashAfter, allMatch, outcomeAt, outcomeOfTwo];

/** The steps of rules without prerequisites; `undefined` where they cannot be decided so. */
export function directSteps(
  rules: readonly CompiledRule[],
  fallthrough: CompiledServe | undefined,
  none: Outcome,
): readonly DirectStep[] | undefined {
  const steps: DirectStep[] = [];
  for (const [at, rule] of rules.entries()) {
    const tests = rule.when && testsOf(rule.when);
    if (rule.when !== undefined && tests === undefined) return undefined;
    const after = rules.slice(at + 1);
    const later = after.every(({ when }) => when === undefined) ? [...after, ...(fallthrough ? [fallthrough] : [])] : undefined;
    const step = stepOf(tests, rule, later, none);
    if (step === undefined) return undefined;
    steps.push(step);
  }
  if (fallthrough === undefined) return steps;
  const last = stepOf(undefined, fallthrough, [], none);
  return last && [...steps, last];
}

/**
 * As `decideFlag`, for a program of steps: the first whose tests all hold and whose line has something for the unit.
 *
 * @param context a plain object; `unit` is its `targetingKey`, a text that is not empty
 */
export function decideDirect(flag: CompiledFlag, unit: string, context: EvaluationContext): Outcome {
  const { program } = flag;
  const steps = program.steps as readonly DirectStep[];
  let hashed = 0;
  let isHashed = false;
  for (let i = 0; i < steps.length; i++) {
    const { tests, outcome, line } = steps[i] as DirectStep;
    // `!== true` is one comparison; without it V8 asks of what it got from a call all that can be false.
    if (tests !== undefined && match(tests, context) !== true) continue;
    if (outcome !== undefined) return outcome;
    if (!isHashed) {
      hashed = hash(flag, unit);
      isHashed = true;
    }
    const placed = (line as Line).isOfTwo ? pickOfTwo(line as Line, hashed) : pick(line as Line, positionOf(hashed));
    if (placed !== undefined) return placed;
  }
  return program.none;
}

/** Is the flag's own first space divided by the `targetingKey`, and with our own hash? */
export function isUsual(draw: CompiledDraw): boolean {
  return draw.own === 0 && draw.by.path === "targetingKey" && draw.legacy === undefined;
}

/** The tests of a condition, all of which must hold; `undefined` where it asks for more. */
function testsOf(when: Node): readonly CompiledTest[] | undefined {
  if (when.kind === TEST) return [when.of];
  if (when.kind !== ALL) return undefined;
  const tests = when.of.map((node) => (node.kind === TEST ? node.of : undefined));
  return tests.every((test) => test !== undefined) ? tests : undefined;
}

/** @param later what is served where the split passes over, if no condition stands between */
function stepOf(
  tests: readonly CompiledTest[] | undefined,
  serve: CompiledServe,
  later: readonly CompiledServe[] | undefined,
  none: Outcome,
): DirectStep | undefined {
  if (serve.outcome !== undefined) return { tests, outcome: serve.outcome, line: undefined };
  const line = (later && foldLines([serve, ...later], none)) ?? lineOf(serve.parts ?? []);
  return line !== undefined && isUsual(line.draw) ? { tests, outcome: undefined, line } : undefined;
}
