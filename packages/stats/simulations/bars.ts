import type { Bar, Measured } from "./bar.ts";
import { FIXED_BARS } from "./fixed.ts";
import { GUARDRAIL_BARS } from "./guardrail.ts";
import { LEARNING_BARS } from "./learning.ts";
import { seeded } from "./random.ts";
import { SEQUENTIAL_BARS, SIZING_BARS } from "./sequential.ts";

/** Every promise that is checked by simulation. A new one goes to the end: a bar's place is its seed. */
export const BARS: readonly Bar[] = [...FIXED_BARS, ...SEQUENTIAL_BARS, ...GUARDRAIL_BARS, ...LEARNING_BARS, ...SIZING_BARS];

export const SEED = 20_261_122;

/** Runs one bar on its own stream, so that its numbers do not depend on which others run. */
export function measure(bar: Bar, size: "quick" | "full"): Measured {
  return bar.simulate(bar.runs[size], seeded(SEED + BARS.indexOf(bar)));
}
