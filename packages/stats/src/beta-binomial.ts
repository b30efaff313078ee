/**
 * Bayesian reading of two shares with Beta priors, without a normal approximation: right with few successes. One-dimensional integrals on
 * the log-odds scale, where the densities are smooth and the trapezoid rule converges exponentially.
 * Source: Gelman et al., Bayesian Data Analysis, 2.4; trapezoid rule: Trefethen and Weideman, SIAM Review 56 (2014).
 */
import { isProportion, type Proportion } from "./proportion.ts";
import { type AlphaOption, type Arms, type ClosedInterval, DEFAULT_ALPHA, isRate, ok, type Result, refuse } from "./result.ts";
import { betaPrefactor, betaTails } from "./special/beta.ts";
import { normalDensity, normalTailQuantile } from "./special/normal.ts";
import { bisect, bracketedNewton } from "./special/root.ts";

export interface BetaBinomialOptions extends AlphaOption {
  /** Beta(a, b) of both arms; default { a: 1, b: 1 }, every share equally likely. */
  readonly prior?: { readonly a: number; readonly b: number };
}

export interface BetaBinomialPosterior {
  /** Difference of the posterior means, treatment minus control. */
  readonly value: number;
  /** Equal-tailed credible interval of the difference, to a thousandth of its width without data and far better with some. */
  readonly interval: ClosedInterval;
  /** P(treatment's share > control's share). */
  readonly chanceToBeat: number;
  /** E max(0, control - treatment): expected loss if treatment ships. */
  readonly lossIfShipped: number;
  /** E max(0, treatment - control): expected loss if it does not. */
  readonly lossIfKept: number;
}

/**
 * What to believe about two shares. No data gives a chance of 0.5.
 * @example betaBinomial({ control: { n: 0, successes: 0 }, treatment: { n: 0, successes: 0 } }) // chanceToBeat 0.5
 */
export function betaBinomial(
  arms: Arms<Proportion>,
  { alpha = DEFAULT_ALPHA, prior = { a: 1, b: 1 } }: BetaBinomialOptions = {},
): Result<BetaBinomialPosterior> {
  if (!isRate(alpha) || !isProportion(arms.control) || !isProportion(arms.treatment)) return refuse("invalid-input");
  if (!(prior.a > 0 && prior.b > 0)) return refuse("invalid-input");
  if (Math.max(arms.control.n, arms.treatment.n, prior.a, prior.b) > SIZE_MAX || Math.min(prior.a, prior.b) < PRIOR_MIN) {
    return refuse("not-finite");
  }
  const control = posteriorOf(arms.control, prior);
  const treatment = posteriorOf(arms.treatment, prior);
  const grid = weightedNodes(control);
  const value = meanOf(treatment) - meanOf(control);
  const chanceToBeat = expect(grid, ({ x, y }) => betaTails(treatment.a, treatment.b, x, y).upper);
  const lossIfKept = expect(grid, (node) => excess(treatment, node));
  return ok({
    value,
    interval: differenceInterval(grid, treatment, alpha),
    chanceToBeat,
    lossIfShipped: Math.max(0, lossIfKept - value),
    lossIfKept,
  });
}

interface Beta {
  readonly a: number;
  readonly b: number;
}

interface Node {
  readonly x: number;
  /** 1 - x, exact near 1. */
  readonly y: number;
  readonly weight: number;
}

/** Beyond this many units the normal posterior is the same to all shown digits, and the integrals take seconds. */
const SIZE_MAX = 1e8;
/** A prior nearer to 0 puts all its weight on shares of exactly 0 and 1. */
const PRIOR_MIN = 1e-3;
const NODES = 240;
const LOG_DENSITY_DROP = 40;

function posteriorOf({ n, successes }: Proportion, prior: Beta): Beta {
  return { a: prior.a + successes, b: prior.b + n - successes };
}

function meanOf({ a, b }: Beta): number {
  return a / (a + b);
}

// Nodes equally spaced in log-odds over where the density is within e^-40 of its top; weights are normalised, so constants cancel.
function weightedNodes({ a, b }: Beta): Node[] {
  const top = Math.log(a / b);
  const logDensity = (u: number): number => -a * Math.log1p(Math.exp(-u)) - b * Math.log1p(Math.exp(u));
  const floor = logDensity(top) - LOG_DENSITY_DROP;
  const reach = (direction: 1 | -1): number => {
    let far = 1 / Math.sqrt(a + b);
    while (logDensity(top + direction * far) > floor) far *= 2;
    return bisect((u) => floor - logDensity(top + direction * u), { low: 0, high: far }, 1e-3);
  };
  const [low, high] = [top - reach(-1), top + reach(1)];
  const nodes = Array.from({ length: NODES + 1 }, (_, i) => {
    const u = low + ((high - low) * i) / NODES;
    const [x, y] = [1 / (1 + Math.exp(-u)), 1 / (1 + Math.exp(u))];
    return { x, y, weight: betaPrefactor(a, b, x, y) };
  });
  const sum = nodes.reduce((all, { weight }) => all + weight, 0);
  return nodes.map(({ x, y, weight }) => ({ x, y, weight: weight / sum }));
}

function expect(nodes: readonly Node[], of: (node: Node) => number): number {
  return Math.max(
    0,
    nodes.reduce((sum, node) => sum + node.weight * of(node), 0),
  );
}

// E max(0, P - x) for P ~ Beta(a, b): the mean above x less x times the chance above x.
function excess({ a, b }: Beta, { x, y }: Node): number {
  return meanOf({ a, b }) * betaTails(a + 1, b, x, y).upper - x * betaTails(a, b, x, y).upper;
}

function differenceInterval(grid: readonly Node[], treatment: Beta, alpha: number): ClosedInterval {
  const chanceBelow = (difference: number): number =>
    expect(grid, ({ x, y }) => {
      const [at, rest] = [x + difference, y - difference];
      if (at <= 0) return 0;
      return rest <= 0 ? 1 : betaTails(treatment.a, treatment.b, at, rest).lower;
    });
  const { mean, sd } = momentsOfDifference(grid, treatment);
  // Newton on the chance with a normal's slope: only a guide, the bracket keeps it safe where the posterior is not normal.
  const slope = (d: number): number => Math.max(normalDensity((d - mean) / sd), 1e-3) / sd;
  const end = (q: number): number =>
    bracketedNewton((d) => roundTo(chanceBelow(d) - q, 1e-10), slope, { low: -1, high: 1 }, mean - normalTailQuantile(q) * sd);
  return { low: end(alpha / 2), high: end(1 - alpha / 2), level: 1 - alpha };
}

function momentsOfDifference(grid: readonly Node[], { a, b }: Beta): { mean: number; sd: number } {
  const mean = expect(grid, ({ x }) => x);
  const variance = expect(grid, ({ x }) => (x - mean) ** 2) + (a * b) / ((a + b) ** 2 * (a + b + 1));
  return { mean: meanOf({ a, b }) - mean, sd: Math.sqrt(variance) };
}

// A chance this near to its goal is on it: further steps would follow rounding.
function roundTo(gap: number, tolerance: number): number {
  return Math.abs(gap) < tolerance ? 0 : gap;
}
