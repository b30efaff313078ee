import type { FrozenMetric, Phase } from "@belay/protocol";
import type { FailureCell } from "@belay/stats";
import type { ArmSums, ByEpoch } from "./cells.ts";

/** Above it a failure is common, and counting whose failures they are says less than the size of the effect. */
const RARE = 0.05;

export interface FailureQuestion {
  readonly control: string;
  readonly treatment: string;
  readonly sums: ReadonlyMap<string, ByEpoch>;
  readonly phases: readonly Phase[];
}

/**
 * Units that failed, by phase, with the share of treated ones that was designed. Nothing where the metric is no share of bad units,
 * where they are not rare, or where a phase has no design: then no share was fixed before the failures.
 */
export function failuresOf(
  { measure: { kind }, good }: Pick<FrozenMetric, "measure" | "good">,
  { control, treatment, sums, phases }: FailureQuestion,
): readonly FailureCell[] | undefined {
  if ((kind !== "proportion" && kind !== "funnel") || good !== "decrease") return undefined;
  const arms = [sums.get(control), sums.get(treatment)] as const;
  const epochs = [...new Set(arms.flatMap((arm) => [...(arm?.keys() ?? [])]))].sort((a, b) => a - b);
  const cells: FailureCell[] = [];
  let units = 0;
  for (const [hour, epoch] of epochs.entries()) {
    const weights = phases.find((phase) => phase.epoch === epoch)?.weights ?? {};
    const [wC = 0, wT = 0] = [control, treatment].map((arm) => (Object.hasOwn(weights, arm) ? weights[arm] : 0));
    if (!(wC > 0 && wT > 0)) return undefined;
    const [ofControl, ofTreatment] = arms.map((arm) => counted(arm?.get(epoch)));
    if (ofControl === undefined || ofTreatment === undefined) return undefined;
    units += ofControl.units + ofTreatment.units;
    cells.push({ hour, share: wT / (wC + wT), treated: ofTreatment.failed, total: ofControl.failed + ofTreatment.failed });
  }
  const failed = cells.reduce((sum, { total }) => sum + total, 0);
  return units > 0 && failed / units < RARE ? cells : undefined;
}

function counted(sums: ArmSums | undefined): { readonly units: number; readonly failed: number } | undefined {
  if (sums === undefined) return { units: 0, failed: 0 };
  if (sums.kind !== "moments") return undefined;
  // A mean of zeros and ones times their number is their sum but for the last bit.
  return { units: sums.joint.n, failed: Math.round((sums.joint.means[0] ?? 0) * sums.joint.n) };
}
