/**
 * A split as a line: where every part is one draw of the same space, the outcome is a function of the unit's position
 * alone, and several rules of that kind without conditions fold into one table.
 *
 *     rule rollout   [0, 25 %) -> on        ┐
 *     fallthrough    off                    ┘   positions  ──────on──────┤───────────off───────────┤
 */
import type { Position } from "./placement.ts";
import type { CompiledDraw, CompiledPart, CompiledServe, Line, Outcome } from "./program.ts";

const FIRST: Position = -(2 ** 31);
const LAST: Position = 2 ** 31 - 1;

/** The line of a split, or `undefined` when its parts are not one draw each of the same space. */
export function lineOf(parts: readonly CompiledPart[]): Line | undefined {
  const draw = parts[0]?.draws[0];
  if (draw === undefined || !parts.every((part) => part.draws.length === 1 && isSameSpace(part.draws[0], draw))) return undefined;
  const claims = parts.flatMap(({ draws, outcome }) => rangesOf(draws[0]).map(([from, last]) => ({ from, last, outcome })));
  return tableOf(
    draw,
    (position) => claims.find(({ from, last }) => from <= position && position <= last)?.outcome,
    claims.flatMap(edgesOf),
  );
}

/**
 * The line of a whole flag: serves in order, each asked where the ones before pass over, `none` where all do.
 * `undefined` when one of them is no line, or another space's.
 */
export function foldLines(serves: readonly CompiledServe[], none: Outcome): Line | undefined {
  const first = lineOf(serves[0]?.parts ?? []);
  if (first === undefined) return undefined;
  const lines: Line[] = [];
  let rest = none;
  for (const { parts, outcome } of serves) {
    if (outcome !== undefined) {
      rest = outcome;
      break;
    }
    const line = lineOf(parts ?? []);
    if (line === undefined || !isSameSpace(line.draw, first.draw)) return undefined;
    lines.push(line);
  }
  const outcomeAt = (position: Position): Outcome => {
    for (const { lasts, outcomes } of lines) {
      const outcome = outcomes[lasts.findIndex((last) => position <= last)];
      if (outcome !== undefined) return outcome;
    }
    return rest;
  };
  return tableOf(
    first.draw,
    outcomeAt,
    lines.flatMap(({ lasts }) => lasts),
  );
}

/** The table of a function of position that changes only after the given edges. */
function tableOf(draw: CompiledDraw, outcomeAt: (position: Position) => Outcome | undefined, edges: readonly Position[]): Line {
  const lasts = [...new Set([...edges, LAST])].sort((a, b) => a - b);
  const runs: { last: Position; outcome: Outcome | undefined }[] = [];
  for (const last of lasts) {
    const outcome = outcomeAt(last);
    const open = runs.at(-1);
    if (open !== undefined && open.outcome === outcome) open.last = last;
    else runs.push({ last, outcome });
  }
  const outcomes = runs.map((run) => run.outcome);
  const [subjectSeed, ...others] = new Set(outcomes.flatMap((outcome) => outcome?.tracks?.subjectSeed ?? []));
  return {
    draw,
    lasts: runs.map((run) => run.last),
    outcomes,
    first: runs[0]?.last ?? LAST,
    isOfTwo: runs.length <= 2,
    isTracked: subjectSeed !== undefined,
    subjectSeed: others.length === 0 ? subjectSeed : undefined,
  };
}

/** Positions after which the answer may change: before a range begins, and where it ends. */
function edgesOf({ from, last }: { readonly from: Position; readonly last: Position }): Position[] {
  return from === FIRST ? [last] : [from - 1, last];
}

function rangesOf(draw: CompiledDraw | undefined): (readonly [Position, Position])[] {
  if (draw === undefined || draw.from > draw.last) return [];
  if (draw.ranges === undefined) return [[draw.from, draw.last]];
  const ranges: [Position, Position][] = [];
  for (let i = 0; i < draw.ranges.length; i += 2) ranges.push([draw.ranges[i] as number, draw.ranges[i + 1] as number]);
  return ranges;
}

function isSameSpace(a: CompiledDraw | undefined, b: CompiledDraw): boolean {
  return a !== undefined && a.own === b.own && a.shared === b.shared;
}
