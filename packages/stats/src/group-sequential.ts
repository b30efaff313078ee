/**
 * Group-sequential tests: a plan that may be looked at as often as wanted, if the alpha spent so far follows a function of information.
 * Sources: Lan and DeMets, Biometrika 70 (1983); recursive integration: Armitage, McPherson and Rowe (1969); Jennison and Turnbull,
 * Group Sequential Methods (2000), ch. 19. Assumes that the planned information is fixed in advance and that the time of a look does not
 * depend on the result.
 *
 * On the scale B(t) = z sqrt(t), t = information / planned information, the statistic is a Brownian motion. Its density on the
 * region where no bound has been crossed is carried from look to look on Gauss points, in panels narrow against the next step.
 */
import { andThen, DEFAULT_ALPHA, isRate, type Ok, ok, type Result, refuse } from "./result.ts";
import { normalDensity, normalTail, normalTailQuantile } from "./special/normal.ts";
import { gaussLegendre } from "./special/quadrature.ts";
import { bisect, bracketedNewton } from "./special/root.ts";

/** How alpha is spent over information: late (O'Brien-Fleming type), evenly (Pocock type), or as a power of the fraction. */
export type Spending = "obrien-fleming" | "pocock" | { readonly power: number };

export interface SpendingPlan {
  /** Over all looks and both sides. Default 0.05. */
  readonly alpha?: number;
  /** 2 (default): symmetric, each side spends half of alpha. 1: only an increase is looked for. */
  readonly sides?: 1 | 2;
  /** Default "obrien-fleming". */
  readonly spending?: Spending;
  /**
   * The bound of another test of the same data, by fraction, that rejects on its own alpha. What it rejects at the looks of this plan is
   * then not paid for twice: bounds are set so that both together have rejected with chance alpha spent + what the rival spent alone.
   */
  readonly rival?: (fraction: number) => number;
}

/** One look as the look ledger keeps it: enough to recompute every later one. */
export interface Look {
  /** Information over planned information at this look. */
  readonly fraction: number;
  /** Chance to have rejected up to and with this look without an effect, by the plan and its rival together. */
  readonly spent: number;
  /** Reject when |z| (z, for one side) reaches it; never above the rival's. Absent while too little alpha is spent for any z to count. */
  readonly bound?: number;
}

/** A look must add at least this much of the planned information: closer looks spend nothing and cost time. */
const FRACTION_STEP_MIN = 1e-4;
/** Spending less than this at a look yields no bound; it is carried to the next look. */
const SPEND_MIN = 1e-18;
const REACH = 9;
/** Beyond this many standard deviations a step's density adds less than 1e-13. */
const STEP_REACH = 7.5;
const PANEL_WIDTH = 5;
const PANEL = gaussLegendre(16);

/**
 * Alpha spent at a fraction of the information, both sides together; all of it from fraction 1 on.
 * Each side of a two-sided plan follows the one-sided function at alpha / 2, as gsDesign, rpact and ldbounds do.
 * @example spentAlpha({ alpha: 0.05 }, 0.5) // 0.00305
 */
export function spentAlpha(
  { alpha = DEFAULT_ALPHA, sides = 2, spending = "obrien-fleming" }: SpendingPlan,
  fraction: number,
): number {
  if (fraction >= 1) return alpha;
  if (!(fraction > 0)) return 0;
  return sides * spendOneSide(spending, alpha / sides, fraction);
}

/**
 * The next look of a plan, given the looks so far. `not-yet` when the information has not grown by at least 1/10,000 of the plan, or
 * when the plan has had its last look (fraction 1 or more): then only an endless sequence may speak.
 * @example nextLook({ alpha: 0.05 }, [], 0.2) // fraction 0.2, bound 4.877
 */
export function nextLook(plan: SpendingPlan, past: readonly Look[], fraction: number): Result<Look> {
  if (!isPlan(plan) || !(fraction > 0)) return refuse("invalid-input");
  const last = past[past.length - 1];
  if (last !== undefined && last.fraction >= 1) return refuse("plan-ended");
  if (fraction < (last?.fraction ?? 0) + FRACTION_STEP_MIN) return refuse("information-not-grown");
  return takeLook(
    plan,
    past.reduce((course, look) => follow(plan, course, look), START_COURSE),
    fraction,
  ).look;
}

/**
 * All looks of a plan at once, for planned fractions in rising order.
 * @example sequentialBounds({ alpha: 0.05 }, [0.2, 0.4, 0.6, 0.8, 1]) // bound 4.877, bound 2.031
 */
export function sequentialBounds(plan: SpendingPlan, fractions: readonly number[]): Result<{ looks: readonly Look[] }> {
  if (!isPlan(plan) || fractions.length === 0) return refuse("invalid-input");
  const looks: Look[] = [];
  let course = START_COURSE;
  for (const fraction of fractions) {
    const last = looks[looks.length - 1];
    if (last !== undefined && last.fraction >= 1) return refuse("plan-ended");
    if (!(fraction >= (last?.fraction ?? 0) + FRACTION_STEP_MIN)) return refuse("information-not-grown");
    const step = takeLook(plan, course, fraction);
    if (step.look.status !== "ok") return step.look;
    looks.push(lookOf(step.look));
    course = step.course;
  }
  return ok({ looks });
}

/**
 * The chance that some look rejects when the expected z at fraction 1 is `drift`; with drift 0 this is the type I error. For two-sided
 * plans both bounds count.
 */
export function rejectionChance(looks: readonly Look[], { drift, sides = 2 }: { drift: number; sides?: 1 | 2 }): number {
  let walk: Walk = START;
  let chance = 0;
  for (const { fraction, bound } of looks) {
    if (bound !== undefined) {
      const edge = bound * Math.sqrt(fraction);
      chance += exitAbove(walk, fraction, edge, drift);
      if (sides === 2) chance += exitAbove(mirrored(walk), fraction, edge, -drift);
    }
    walk = advance(walk, { fraction, bound, sides, drift });
  }
  return Math.min(1, chance);
}

/**
 * How much more information a sequential plan needs than one look, for the same power: 1.03 means 3 % more units.
 * @example planInflation({ alpha: 0.05 }, { looks: 14, power: 0.8 }) // factor 1.042
 */
export function planInflation(
  plan: SpendingPlan,
  { looks, power = 0.8 }: { looks: number; power?: number },
): Result<{ factor: number }> {
  const { alpha = DEFAULT_ALPHA, sides = 2 } = plan;
  return andThen(evenLooks(looks), ({ fractions }) =>
    andThen(sequentialBounds(plan, fractions), (bounds) => inflationOf(bounds.looks, { alpha, sides, power })),
  );
}

/** The same for given looks, against one look at `alpha`. */
export function inflationOf(
  looks: readonly Look[],
  { alpha, sides, power }: { readonly alpha: number; readonly sides: 1 | 2; readonly power: number },
): Result<{ factor: number }> {
  if (!isRate(power) || !isRate(alpha)) return refuse("invalid-input");
  const fixed = normalTailQuantile(alpha / sides) + normalTailQuantile(1 - power);
  if (!(fixed > 0)) return refuse("invalid-input");
  const drift = bisect((d) => rejectionChance(looks, { drift: d, sides }) - power, { low: 0, high: 2 * fixed + 2 }, 1e-6);
  return ok({ factor: (drift / fixed) ** 2 });
}

/**
 * Fractions of so many looks at equal distances, the last at 1.
 * @example evenLooks(2) // 0.5, 1
 */
export function evenLooks(looks: number): Result<{ fractions: readonly number[] }> {
  if (!Number.isInteger(looks) || looks < 1 || looks > 1 / FRACTION_STEP_MIN) return refuse("invalid-input");
  return ok({ fractions: Array.from({ length: looks }, (_, i) => (i + 1) / looks) });
}

interface WalkNode {
  readonly x: number;
  /** Density times quadrature weight. */
  readonly mass: number;
}

/** The motion at the last look: a point at the start, else a region with a density known through the look before. */
interface Walk {
  readonly fraction: number;
  /** Nodes for a next step of variance `step`: narrow steps need narrow panels, so they are made when the step is known. */
  readonly nodes: (step: number) => readonly WalkNode[];
}

const START: Walk = { fraction: 0, nodes: () => [{ x: 0, mass: 1 }] };

/** A plan under way: the motion that neither test has stopped, and the one that the rival alone has not. */
interface Course {
  readonly joint: Walk;
  readonly spent: number;
  readonly rival: Walk;
  readonly rivalSpent: number;
}

const START_COURSE: Course = { joint: START, spent: 0, rival: START, rivalSpent: 0 };

function isPlan({ alpha = DEFAULT_ALPHA, spending = "obrien-fleming" }: SpendingPlan): boolean {
  return isRate(alpha) && (typeof spending === "string" || spending.power > 0);
}

function spendOneSide(spending: Spending, alpha: number, fraction: number): number {
  if (spending === "obrien-fleming") return 2 * normalTail(normalTailQuantile(alpha / 2) / Math.sqrt(fraction));
  if (spending === "pocock") return alpha * Math.log1p((Math.E - 1) * fraction);
  return alpha * fraction ** spending.power;
}

function takeLook(plan: SpendingPlan, course: Course, fraction: number): { look: Result<Look>; course: Course } {
  const { sides = 2 } = plan;
  const rivalSpent = course.rivalSpent + rivalExit(plan, course, fraction);
  const goal = spentAlpha(plan, fraction) + rivalSpent;
  const own = boundFor(course.joint, fraction, (goal - course.spent) / sides);
  const rival = plan.rival?.(fraction);
  const isRivalLower = rival !== undefined && rival < (own ?? REACH);
  const spentByRival = isRivalLower ? sides * exitAbove(course.joint, fraction, rival * Math.sqrt(fraction), 0) : 0;
  const look = isRivalLower
    ? { fraction, spent: course.spent + spentByRival, bound: rival }
    : own === undefined
      ? { fraction, spent: course.spent }
      : { fraction, spent: goal, bound: own };
  return { look: ok(look), course: follow(plan, course, look) };
}

/** The course after a look that is known. */
function follow(plan: SpendingPlan, course: Course, { fraction, bound, spent }: Look): Course {
  const { sides = 2 } = plan;
  return {
    joint: advance(course.joint, { fraction, bound, sides, drift: 0 }),
    spent,
    rival: plan.rival === undefined ? START : advance(course.rival, { fraction, bound: plan.rival(fraction), sides, drift: 0 }),
    rivalSpent: course.rivalSpent + rivalExit(plan, course, fraction),
  };
}

function rivalExit({ rival, sides = 2 }: SpendingPlan, course: Course, fraction: number): number {
  return rival === undefined ? 0 : sides * exitAbove(course.rival, fraction, rival(fraction) * Math.sqrt(fraction), 0);
}

function lookOf({ fraction, spent, bound }: Ok<Look>): Look {
  return bound === undefined ? { fraction, spent } : { fraction, spent, bound };
}

// Newton on the logarithm of the chance to leave through the upper bound for the first time now.
function boundFor(walk: Walk, fraction: number, spend: number): number | undefined {
  if (!(spend > SPEND_MIN)) return undefined;
  const root = Math.sqrt(fraction);
  const target = Math.log(spend);
  const gap = (z: number): number => target - Math.log(exitAbove(walk, fraction, z * root, 0));
  const slope = (z: number): number => (exitDensity(walk, fraction, z * root) * root) / exitAbove(walk, fraction, z * root, 0);
  return bracketedNewton(gap, slope, { low: -8, high: REACH }, normalTailQuantile(Math.min(0.5, spend)));
}

function exitAbove(walk: Walk, fraction: number, edge: number, drift: number): number {
  const step = fraction - walk.fraction;
  const root = Math.sqrt(step);
  let chance = 0;
  for (const { x, mass } of walk.nodes(step)) chance += mass * normalTail((edge - x - drift * step) / root);
  return chance;
}

function exitDensity(walk: Walk, fraction: number, edge: number): number {
  const step = fraction - walk.fraction;
  const root = Math.sqrt(step);
  let density = 0;
  for (const { x, mass } of walk.nodes(step)) density += mass * normalDensity((edge - x) / root);
  return density / root;
}

interface Step {
  readonly fraction: number;
  readonly bound: number | undefined;
  readonly sides: 1 | 2;
  readonly drift: number;
}

function advance(walk: Walk, { fraction, bound, sides, drift }: Step): Walk {
  const step = fraction - walk.fraction;
  const sources = walk.nodes(step);
  const reach = REACH * Math.sqrt(fraction);
  const edge = bound === undefined ? Number.POSITIVE_INFINITY : bound * Math.sqrt(fraction);
  const high = Math.min(drift * fraction + reach, edge);
  const low = Math.max(drift * fraction - reach, sides === 2 ? -edge : Number.NEGATIVE_INFINITY);
  return { fraction, nodes: once((next) => spread({ sources, step, drift, low, high }, next)) };
}

// A look asks for its nodes many times with the same step while its bound is searched.
function once(make: (step: number) => WalkNode[]): Walk["nodes"] {
  let made: { step: number; nodes: WalkNode[] } | undefined;
  return (step) => {
    if (made?.step !== step) made = { step, nodes: make(step) };
    return made.nodes;
  };
}

interface Region {
  readonly sources: readonly WalkNode[];
  readonly step: number;
  readonly drift: number;
  readonly low: number;
  readonly high: number;
}

function spread({ sources, step, drift, low, high }: Region, nextStep: number): WalkNode[] {
  const width = PANEL_WIDTH * Math.sqrt(Math.min(step, nextStep));
  const panels = Math.max(1, Math.ceil((high - low) / width));
  const half = (high - low) / panels / 2;
  const root = Math.sqrt(step);
  const nodes: WalkNode[] = [];
  let from = 0;
  for (let panel = 0; panel < panels; panel++) {
    const centre = low + (2 * panel + 1) * half;
    for (let i = 0; i < PANEL.nodes.length; i++) {
      const x = centre + half * (PANEL.nodes[i] ?? 0);
      // Sources are in rising order: those more than STEP_REACH below will not be needed again.
      while (from < sources.length && (sources[from]?.x ?? 0) < x - drift * step - STEP_REACH * root) from++;
      nodes.push({ x, mass: half * (PANEL.weights[i] ?? 0) * densityAt(sources, from, x - drift * step, root) });
    }
  }
  return nodes;
}

function densityAt(sources: readonly WalkNode[], from: number, x: number, root: number): number {
  let density = 0;
  for (let k = from; k < sources.length; k++) {
    const source = sources[k];
    if (source === undefined || source.x > x + STEP_REACH * root) break;
    density += source.mass * normalDensity((x - source.x) / root);
  }
  return density / root;
}

function mirrored(walk: Walk): Walk {
  return { fraction: walk.fraction, nodes: (step) => walk.nodes(step).map(({ x, mass }) => ({ x: -x, mass })) };
}
