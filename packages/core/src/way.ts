/**
 * The way on which `isEnabled` finds a flag's answer, by what its program is:
 *
 *     UNKNOWN_KEY          the default
 *     BY_STEPS             tests, then a line: the outcome's value
 *     ON_BELOW, ON_ABOVE   two values by the unit's position, without an outcome in between
 *
 * What is left (constants, exposures, segments, prerequisites, faults) goes the long way, by `decide`.
 */
import { hashAfter } from "./murmur3.ts";
import {
  BY_STEPS,
  type CompiledFlag,
  type DirectStep,
  type Line,
  LONG_WAY,
  ON_ABOVE,
  ON_BELOW,
  type Program,
  type Way,
} from "./program.ts";

/** By a name of this module, which V8 takes for a constant: an imported one is looked up at each call. */
const hash = hashAfter;

/** The way to the answers of these shortcuts. */
export function wayOf(shortcuts: Pick<Program, "plainLine" | "steps"> | undefined): Way {
  if (shortcuts?.plainLine !== undefined) return wayOfLine(shortcuts.plainLine);
  return shortcuts?.steps?.every(isUntold) === true ? BY_STEPS : LONG_WAY;
}

function wayOfLine({ outcomes }: Line): Way {
  const [first, second] = outcomes;
  if (typeof first?.value !== "boolean") return LONG_WAY;
  if (outcomes.length === 2 && second?.value !== !first.value) return LONG_WAY;
  return first.value ? ON_BELOW : ON_ABOVE;
}

/** Are all its outcomes booleans, or the default, that nobody need be told of? */
function isUntold({ outcome, line }: DirectStep): boolean {
  return (line?.outcomes ?? [outcome]).every((each) => {
    const type = typeof each?.value;
    return each?.tracks === undefined && (type === "boolean" || type === "undefined");
  });
}

/**
 * The answer of a plain rollout, counted.
 *
 * No branch hangs on the unit's position: whether it is in or out is a coin toss to the processor, which would mispredict
 * every second one, and that costs a third of the hash. So being above the boundary is computed as 0 or 1 (see `isAbove` in
 * `decide.ts`; the numeral is `BIAS`, for an imported name is looked up by the machine at each call), and added to a count.
 * The counts stand in the flag, beside what was just read. They wrap (`| 0`), so V8 need not ask whether they overflow.
 */
export function isOn(flag: CompiledFlag, unit: string): boolean {
  const { first } = flag;
  const position = hash(flag, unit) ^ 0x80000000;
  const difference = (first - position) | 0;
  const isAbove = (difference ^ ((first ^ position) & (difference ^ first))) >>> 31;
  flag.asked = (flag.asked + 1) | 0;
  flag.above = (flag.above + isAbove) | 0;
  return isAbove === (flag.way & 1);
}
