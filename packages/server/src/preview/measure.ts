import { SPACE_PPM } from "@belay/protocol";
import { intersect, lengthOf, type Ranges, subtract, WHOLE_SPACE } from "./ranges.ts";
import type { Question } from "./walk.ts";

/**
 * Measures a walk: which outcomes there are, and how many units have each.
 *
 *   attribute tests    country in DE?       yes ─────────────── no            nobody knows how many: one tally each
 *   draws              share [0, 25 %)   25 % ┬ 75 %        25 % ┬ 75 %       exact, and independent of each other
 *                                          on │ off           on │ off
 *
 * A branch divides only the region of the space it asks about, so there are as many leaves as there are different ways
 * through the definitions, not one for each combination of ranges.
 */

/** The units of one way through all draws: what they get and their share, a fraction. */
export interface Cell<T> {
  readonly outcome: T;
  readonly share: number;
}

/** How units divide where every attribute test has one certain answer. `unexplored` is the share that cost too much. */
export interface Tally<T> {
  readonly cells: readonly Cell<T>[];
  readonly unexplored: number;
}

type Walk<T> = Generator<Question, T, boolean>;
type Answers = ReadonlyMap<string, boolean>;

/** Questions that one measurement may ask, and walks it may end: about a tenth of a second. */
const QUESTIONS_MAX = 60_000;

/** One tally for each way the attribute tests can be answered; exactly one when none matters. */
export function measure<T>(start: () => Walk<T>, questionsMax: number = QUESTIONS_MAX): readonly Tally<T>[] {
  const budget = { questions: questionsMax };
  const tallies: Tally<T>[] = [];
  const waiting: Answers[] = [new Map()];
  for (let answers = waiting.pop(); answers !== undefined; answers = waiting.pop()) {
    const found = tallyOf(start, answers, budget);
    if ("asks" in found) waiting.push(new Map([...answers, [found.asks, true]]), new Map([...answers, [found.asks, false]]));
    else tallies.push(found);
  }
  return tallies;
}

interface Budget {
  questions: number;
}

interface Branch {
  readonly regions: ReadonlyMap<string, Ranges>;
  readonly share: number;
}

function tallyOf<T>(start: () => Walk<T>, answers: Answers, budget: Budget): Tally<T> | { readonly asks: string } {
  const cells: Cell<T>[] = [];
  const waiting: Branch[] = [{ regions: new Map(), share: 1 }];
  for (let branch = waiting.pop(); branch !== undefined; branch = waiting.pop()) {
    if (budget.questions <= 0) return { cells, unexplored: [branch, ...waiting].reduce((sum, { share }) => sum + share, 0) };
    const end = follow(start(), answers, branch, budget);
    if ("asks" in end) return end;
    if ("branches" in end) waiting.push(...end.branches);
    else cells.push({ outcome: end.outcome, share: branch.share });
  }
  return { cells, unexplored: 0 };
}

type End<T> = { readonly outcome: T } | { readonly asks: string } | { readonly branches: readonly Branch[] };

/** Walks until the end, or until a question that what is known does not answer. */
function follow<T>(walk: Walk<T>, answers: Answers, branch: Branch, budget: Budget): End<T> {
  budget.questions -= 1;
  let step = walk.next();
  while (step.done !== true) {
    const question = step.value;
    budget.questions -= 1;
    const answer = question.kind === "test" ? answers.get(question.id) : side(branch.regions.get(question.axis), question.ranges);
    if (answer === undefined) return question.kind === "test" ? { asks: question.id } : { branches: divide(branch, question) };
    step = walk.next(answer);
  }
  return { outcome: step.value };
}

/** Does a region lie in the ranges as a whole, or outside? `undefined` when it does both. */
function side(region: Ranges = WHOLE_SPACE, ranges: Ranges): boolean | undefined {
  const inside = lengthOf(intersect(region, ranges));
  if (inside === 0) return false;
  return inside === lengthOf(region) ? true : undefined;
}

function divide({ regions, share }: Branch, { axis, ranges }: Extract<Question, { kind: "draw" }>): readonly Branch[] {
  const region = regions.get(axis) ?? WHOLE_SPACE;
  return [intersect(region, ranges), subtract(region, ranges)].map((part) => ({
    regions: new Map([...regions, [axis, part]]),
    share: regions.has(axis) ? (share * lengthOf(part)) / lengthOf(region) : (share * lengthOf(part)) / SPACE_PPM,
  }));
}
