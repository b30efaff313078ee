/**
 * Why a flag answers as it does, for a developer who looks: the walk of `@belay/core`, with the rules that a client holds.
 * A door of its own, since it brings the compiler that pages are spared: load it when somebody asks.
 */
import { type Explanation, preview, explain as tell } from "@belay/core";
import type { EvaluationContext, FlagKey, Snapshot } from "@belay/protocol";

export type { Explanation } from "@belay/core";

/**
 * The whole walk of a decision, for machines and in words. Counts nothing, records nothing, never throws. A client whose
 * server decides holds answers and no rules: there is one step to tell.
 *
 * @param client whose rules, for example those of `createClient`
 * @example
 * const { explain } = await import("@belay/sdk-browser/explain");
 * console.log(explain(belay, "checkout-v2", { targetingKey: "user-42" }).lines.join("\n"));
 */
export function explain(client: { readonly snapshot: Snapshot }, key: FlagKey, context: EvaluationContext): Explanation {
  const rules = preview(client.snapshot);
  try {
    return tell(rules, key, context);
  } catch {
    // A context that throws when it is read has nothing to tell.
    return tell(rules, key, {});
  }
}
