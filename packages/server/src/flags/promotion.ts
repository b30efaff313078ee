import type { FlagTargeting, Promotion, PromotionDraft, Targeting } from "@belay/protocol";
import { asJson, type Decision, type Refusal, refuse } from "../control/decision.ts";
import { planHash } from "../control/plan-hash.ts";
import type { EnvironmentState } from "../state/workspace.ts";
import { flagNotFound } from "./domain.ts";
import { withoutEpochs } from "./epochs.ts";
import { type Place, putTargeting } from "./targeting.ts";

/**
 * Promoting: a flag decides in one environment as it does in another. Its salts, values and segments are the project's
 * and the same in both, so whoever was in is in. Pure.
 */

/** What a promotion would change, but for who moves. */
export function planPromotion(place: Place, source: EnvironmentState): Omit<Promotion, "movement"> | Refusal {
  const before = place.environment.targetings.get(place.flag)?.body;
  const wanted = source.targetings.get(place.flag)?.body;
  if (before === undefined || wanted === undefined) return flagNotFound(place.project, place.flag);
  const [from, to] = [source.key, place.environment.key];
  const after: Targeting = withoutEpochs(wanted);
  const plan = planHash([place.project.key, place.flag, from, to, asJson(before), asJson(after)]);
  return { project: place.project.key, flag: place.flag, from, to, before, after, plan };
}

/** Makes a promotion, if it still is the one that was planned. */
export function promoteFlag(
  place: Place,
  source: EnvironmentState,
  { plan: wanted, newEpoch = false }: Pick<PromotionDraft, "plan" | "newEpoch">,
): Decision<FlagTargeting> {
  const plan = planPromotion(place, source);
  if ("code" in plan) return plan;
  if (plan.plan !== wanted) return refuse("plan_changed", { field: "plan", received: wanted });
  const decision = putTargeting(place, { ...plan.after, newEpoch });
  return decision.kind === "edit" ? { ...decision, action: "flag.promote" } : decision;
}
