import type { Json } from "./json.ts";

/**
 * What an application knows about the unit it asks for: OpenFeature's evaluation context, flat or nested.
 *
 * `targetingKey` names the unit. A number is read as its shortest decimal text (`42`, `1.5`), a boolean as `true` or
 * `false`; an empty string, a non-finite number and every other type are no unit. Only own properties are read.
 *
 * @example
 * const context: EvaluationContext = { targetingKey: "user-42", country: "DE", company: { plan: "pro" } };
 */
export interface EvaluationContext {
  readonly targetingKey?: string | number | boolean;
  readonly [attribute: string]: Json | undefined | Date;
}
