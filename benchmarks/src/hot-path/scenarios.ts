import { S1 } from "./s1-rollout.ts";
import { S2 } from "./s2-targeting.ts";
import { S3 } from "./s3-experiment.ts";
import { S4 } from "./s4-unknown.ts";
import { S5 } from "./s5-all-flags.ts";
import { S6 } from "./s6-start.ts";
import { S7 } from "./s7-heap.ts";
import { S8 } from "./s8-swap.ts";
import type { Scenario } from "./scenario.ts";

/** Every figure of the report, in its order. */
export const SCENARIOS: readonly Scenario[] = [...S1, ...S2, ...S3, ...S4, ...S5, ...S6, ...S7, ...S8];
