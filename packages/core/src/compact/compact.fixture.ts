import type { EvaluationContext, Snapshot } from "@belay/protocol";
import { clientSnapshot } from "../client-snapshot.ts";
import type { Ruleset } from "../ruleset.ts";
import { deciderOf, type Outcome } from "./index.ts";

/** What a browser is given of a snapshot whose flags are all for browsers. */
export const rendered = (snapshot: Snapshot): Snapshot => clientSnapshot(snapshot, () => true);

/** The compact implementation in the form of the other one, which lives longer than one context. */
export function compacted(snapshot: Snapshot): { decide(flag: string, context: EvaluationContext): Outcome } {
  return { decide: (flag, context) => deciderOf(snapshot, context)(flag) };
}

/** An outcome in the form of the vectors, from either implementation. */
export function told(
  rules: Pick<Ruleset, "decide"> | ReturnType<typeof compacted>,
  flag: string,
  context: EvaluationContext,
): string {
  const { value, variant, reason, ruleId, errorCode, tracks } = rules.decide(flag, context);
  const subject: Partial<Record<"experiment" | "release", string>> & { readonly epoch?: number } =
    tracks === undefined ? {} : "arm" in tracks ? tracks.arm : (tracks as object);
  const { experiment, release, epoch = 0 } = subject;
  const exposed = tracks && { experiment, release, epoch, unit: tracks.unit(context) };
  return JSON.stringify({ value, variant, reason, ruleId, errorCode, exposed });
}
