/*
 * Keys and values of flags in the types of the application, once it has declared them; free texts until then. The types
 * are all there is to it: what a server serves is checked against the default at every call, declared or not.
 */
import type { Explanation } from "@belay/core";
import type { Client, Widened } from "@belay/core/client";
import type { Evaluation, EvaluationContext, Json } from "@belay/protocol";
import type { Flags } from "./index.ts";

type Declared = keyof Flags & string;

/** Keys that may be asked for: the declared ones, or any where none is declared. */
export type FlagName = [Declared] extends [never] ? string : Declared;

/** Keys that `isEnabled` takes: those declared as boolean. */
export type BooleanFlagName = [Declared] extends [never]
  ? string
  : { [Name in Declared]: Flags[Name] extends boolean ? Name : never }[Declared];

/** What a flag may serve, and so what may be its default. */
export type FlagValue<Name> = Name extends Declared ? Flags[Name] : Json;

/** What is answered for a default: a value of the declared type, or of the default's own type, widened. */
export type Answer<Name, Default> = Name extends Declared ? Flags[Name] : Default extends Json ? Widened<Default> : never;

/** An `Evaluation` of a value that may be of a declared type: an interface of the application is JSON, but not `Json`. */
export type EvaluationOf<Value> = Omit<Evaluation<Json>, "value"> & { readonly value: Value };

/** The client, with the keys of `Flags`. */
export interface BelayClient extends Omit<Client, "isEnabled" | "value" | "evaluate" | "explain"> {
  /**
   * Is a boolean flag on for this context? The caller's default, `false` where none is given, answers when the flag has no
   * boolean to answer with. Never throws, never waits.
   *
   * @example
   * if (belay.isEnabled("checkout-v2", { targetingKey: "user-42" })) renderNewCheckout();
   */
  isEnabled(key: BooleanFlagName, context?: EvaluationContext, fallback?: boolean): boolean;
  /** The flag's value where it is of the default's type, else the default. */
  value<Name extends FlagName, Default extends FlagValue<Name>>(
    key: Name,
    context: EvaluationContext,
    fallback: Default,
  ): Answer<Name, Default>;
  /** The value with what led to it. */
  evaluate<Name extends FlagName, Default extends FlagValue<Name>>(
    key: Name,
    context: EvaluationContext,
    fallback: Default,
  ): EvaluationOf<Answer<Name, Default>>;
  /** The whole walk of a decision in words. Counts nothing and records nothing. */
  explain(key: FlagName, context: EvaluationContext): Explanation;
}
