import type { ExperimentResults } from "@belay/protocol";
import { fitPrior, type Point } from "@belay/stats";
import type { ProjectState } from "../state/workspace.ts";

/** What an organisation's finished experiments say about the next one: what effects are shrunken toward. */

/** Standard deviation of true relative effects while fewer than 20 experiments say what it is: 2 %. */
const PRIOR_SD = 0.02;

export function priorOf(past: readonly Point[]): ExperimentResults["prior"] {
  const prior = fitPrior(past, { defaultSd: PRIOR_SD });
  if (prior.status !== "ok") return { mean: 0, sd: PRIOR_SD, source: "default", tests: 0 };
  const { mean, sd, source, tests } = prior;
  return { mean, sd, source, tests };
}

/** Last looks of the primary metrics of experiments that are over, but one: every one of them, shipped or not. */
export function pastEffects({ experiments, looks }: Pick<ProjectState, "experiments" | "looks">, but?: string): readonly Point[] {
  return [...experiments].flatMap(([key, { body }]) => {
    if (key === but || (body.status !== "decided" && body.status !== "stopped")) return [];
    const last = new Map<string, Point>();
    for (const { metric, treatment, effect, variance } of looks.get(key)?.body.looks ?? []) {
      last.set(JSON.stringify([metric, treatment]), { value: effect, variance });
    }
    return [...last.values()];
  });
}
