const STEPS_MAX = 200;
/** Newton squares its error: after a relative step this small the next would be rounding. */
const STEP_MIN = 1e-12;

/**
 * The root of an increasing function inside a bracket, by Newton steps that fall back to halving whenever they would leave it.
 * `slope` may be approximate: it only sets the speed. The answer is as exact as `f` is.
 */
export function bracketedNewton(
  f: (x: number) => number,
  slope: (x: number) => number,
  bracket: { readonly low: number; readonly high: number },
  start: number,
): number {
  let { low, high } = bracket;
  let x = start > low && start < high ? start : (low + high) / 2;
  for (let step = 0; step < STEPS_MAX; step++) {
    const gap = f(x);
    if (gap === 0) return x;
    if (gap < 0) low = x;
    else high = x;
    const newton = x - gap / slope(x);
    const next = newton > low && newton < high ? newton : (low + high) / 2;
    if (Math.abs(next - x) <= STEP_MIN * Math.abs(x) || next === low || next === high) return next;
    x = next;
  }
  return x;
}

/** The root of an increasing function inside a bracket by halving: for functions whose slope is not worth knowing. */
export function bisect(
  f: (x: number) => number,
  bracket: { readonly low: number; readonly high: number },
  relativeTolerance = 1e-13,
): number {
  let { low, high } = bracket;
  for (let step = 0; step < STEPS_MAX && high - low > relativeTolerance * Math.max(Math.abs(low), Math.abs(high)); step++) {
    const middle = (low + high) / 2;
    if (f(middle) < 0) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
