/**
 * Does a decision differ: would the same unit, at the same revision, have got another value outside its arm?
 *
 *     arms        parts of the unit's split that track the same thing, told apart by their variants
 *     two, more   false where all of them serve one value, else true
 *     one only    its value beside what the flag serves once the arm is taken out: the rest of the split, the rules
 *                 behind it, the fallthrough. So did a release's flag decide before, and so does it for the others
 *
 * The answer for a unit is the same in whichever arm it landed. An analysis may leave out units whose arm made no
 * difference only because of that: a question to the arm itself would leave out unlike people on both sides.
 *
 * The caller's default is nobody's value: what serves it differs from everything.
 */
import type { Json } from "@belay/protocol";
import { canonicalJson } from "./canonical-json.ts";
import { matches, NO_UNIT, serve } from "./decide.ts";
import type { CompiledFlag, CompiledPart, CompiledRule, CompiledServe, Outcome, Program } from "./program.ts";
import type { Scope } from "./scope.ts";

/** For the unit in a scope, whom the flag has just served `outcome`; `undefined` where that is no arm. */
export function differs(flag: CompiledFlag, outcome: Outcome, scope: Scope): boolean | undefined {
  const { tracks } = outcome;
  if (tracks === undefined) return undefined;
  tracks.differs ??= differsForAll(flag.program, outcome) ?? "depends";
  if (tracks.differs !== "depends") return tracks.differs;
  const place = placeOf(flag.program, outcome);
  return place && !isSame(outcome, withoutArm(flag, place, scope));
}

/** For everybody whom a program can serve `outcome`; `undefined` where it depends on who it is. */
export function differsForAll(program: Program, outcome: Outcome): boolean | undefined {
  const place = placeOf(program, outcome);
  if (place === undefined) return undefined;
  const { arms } = place;
  if (arms.some((arm) => arm.variant !== outcome.variant)) return arms.some((arm) => !isSame(arm, outcome));
  const answers = new Set<boolean>();
  for (const other of possibleWithoutArm(place, program.none)) answers.add(!isSame(outcome, other));
  const [answer, another] = answers;
  return another === undefined ? answer : undefined;
}

/** An arm where it stands: those it is compared with, and what is asked in order once they are gone. */
interface Place {
  readonly arms: readonly Outcome[];
  readonly rest: readonly Step[];
}

type Step = CompiledServe & Partial<Pick<CompiledRule, "when">>;

function placeOf({ rules, fallthrough }: Program, outcome: Outcome): Place | undefined {
  const steps: readonly Step[] = [...rules, ...(fallthrough === undefined ? [] : [fallthrough])];
  const at = steps.findIndex(({ parts }) => parts?.some((part) => part.outcome === outcome));
  if (at === -1) return undefined;
  const parts = steps[at]?.parts ?? [];
  const others: Step = { outcome: undefined, parts: parts.filter((part) => !isArmOf(part, outcome)), line: undefined };
  return {
    arms: parts.filter((part) => isArmOf(part, outcome)).map((part) => part.outcome),
    rest: [others, ...steps.slice(at + 1)],
  };
}

function isArmOf({ outcome: { tracks } }: CompiledPart, { tracks: subject }: Outcome): boolean {
  return tracks !== undefined && tracks.experiment === subject?.experiment && tracks.release === subject?.release;
}

function withoutArm(flag: CompiledFlag, { rest }: Place, scope: Scope): Outcome {
  for (const step of rest) {
    if (step.when !== undefined && !matches(step.when, flag, scope)) continue;
    const outcome = serve(step, flag, scope);
    if (outcome !== undefined) return outcome;
  }
  return flag.program.none;
}

/** All that `withoutArm` can come to, and perhaps more: draws and conditions are not looked into. */
function* possibleWithoutArm({ rest }: Place, none: Outcome): Generator<Outcome> {
  for (const { when, outcome, parts = [] } of rest) {
    if (outcome !== undefined) yield outcome;
    for (const part of parts) yield part.outcome;
    if (parts.some(({ draws }) => draws.length > 0)) yield NO_UNIT;
    const isForEverybody = outcome !== undefined || parts.some(({ draws }) => draws.length === 0);
    if (when === undefined && isForEverybody) return;
  }
  yield none;
}

function isSame(a: Outcome, b: Outcome): boolean {
  if (a.value === undefined || b.value === undefined) return false;
  return a.variant === b.variant || a.value === b.value || canonicalJson(a.value) === canonicalJson(b.value as Json);
}
