/** How much more must be seen until something can be shown, if it is so: what a plan, or a gate that asks for power, goes by. */
import { ok, type Result, refuse } from "./result.ts";

/** Beyond so many times what was seen nothing is in reach. */
const TIMES_MAX = 1e6;
const HALVINGS = 60;

/**
 * The smallest multiple of what was seen at which evidence is expected to reach `logE`; `unreachable` beyond a million times.
 *
 * @param logEAt expected evidence, ln, at so many times what was seen: 0 at none, and from where it passes `logE` on above it
 * @example timesUntil((times) => times / 2, Math.log(20)) // times 5.991
 */
export function timesUntil(logEAt: (times: number) => number, logE: number): Result<{ times: number }> {
  if (!(logEAt(TIMES_MAX) >= logE)) return refuse("unreachable");
  let [below, above] = [1 / TIMES_MAX, TIMES_MAX];
  for (let halving = 0; halving < HALVINGS; halving += 1) {
    const between = Math.sqrt(below * above);
    if (logEAt(between) >= logE) above = between;
    else below = between;
  }
  return ok({ times: above });
}
