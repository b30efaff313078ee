/**
 * What deciding takes instead of the walk through a program. Made where flags are asked millions of times; whoever only
 * explains or previews walks, to the same answer, and spares the page that loads it their making.
 */
import { directSteps, isUsual } from "./direct.ts";
import { foldLines, lineOf } from "./line.ts";
import type { CompiledPart, CompiledRule, CompiledServe, Line, Outcome, Program } from "./program.ts";

export interface Shortcuts {
  /** The parts of one split as a line. */
  split(parts: readonly CompiledPart[]): Line | undefined;
  /** Through all rules of a flag without prerequisites. */
  through(
    rules: readonly CompiledRule[],
    fallthrough: CompiledServe | undefined,
    none: Outcome,
  ): Pick<Program, "line" | "plainLine" | "steps">;
}

export const SHORTCUTS: Shortcuts = {
  split: lineOf,
  through(rules, fallthrough, none) {
    const line = wholeLine(rules, fallthrough, none);
    return {
      line,
      plainLine: line?.isOfTwo === true && !line.isTracked ? line : undefined,
      steps: line === undefined ? directSteps(rules, fallthrough, none) : undefined,
    };
  },
};

/** The flag as one line, where no rule has a condition and the space is the flag's first, divided by `targetingKey`. */
function wholeLine(rules: readonly CompiledRule[], fallthrough: CompiledServe | undefined, none: Outcome): Line | undefined {
  if (rules.some((rule) => rule.when !== undefined)) return undefined;
  const line = foldLines([...rules, ...(fallthrough === undefined ? [] : [fallthrough])], none);
  return line !== undefined && isUsual(line.draw) ? line : undefined;
}
