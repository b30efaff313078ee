import { hasTypeOf, unitText } from "@belay/core";
import { deciderOf, type Outcome } from "@belay/core/compact";
import type { Evaluation, EvaluationContext, Exposure, FlagKey, Json, MetricEvent } from "@belay/protocol";
import { type Follow, follow } from "./follow.ts";
import { type Inner, type LeanClient, open, type Widened } from "./lean-client.ts";
import type { ClientOptions } from "./options.ts";

export interface TrackDetails {
  /** A finite number. */
  readonly value?: number;
  /** Plain data; long texts are cut, what is no JSON is left out. */
  readonly properties?: { readonly [name: string]: unknown };
}

/** Decides in the page. Every call answers at once and none ever throws. */
export interface BelayClient extends LeanClient {
  /** The value with what led to it. */
  evaluate<T extends Json>(key: FlagKey, fallback: T): Evaluation<Widened<T>>;
  /** As `evaluate`, but neither counted nor recorded as an exposure: for looking before anything is shown. */
  peek<T extends Json>(key: FlagKey, fallback: T): Evaluation<Widened<T>>;
  /**
   * What `peek` answered when the client was made with its `bootstrap`: what the page was rendered with, for hydrating it
   * without a mismatch, whatever has come since.
   */
  peekRendered<T extends Json>(key: FlagKey, fallback: T): Widened<T>;
  /** Records a metric event of the context's unit. */
  track(name: string, details?: TrackDetails): void;
}

/**
 * Makes a client and starts it. Never throws: without an address and a key it decides with `bootstrap` alone.
 *
 * @example
 * const belay = createClient({ url: "https://flags.example.com", clientKey: "...", context: { targetingKey: "user-42" } });
 * belay.isEnabled("checkout-v2");
 */
export function createClient(options: ClientOptions = {}): BelayClient {
  return complete(options, deciderOf, follow)[0];
}

/** The complete client on a source of documents, and its inside. */
export function complete(options: ClientOptions, decider: typeof deciderOf, follow: Follow): readonly [BelayClient, Inner] {
  const { contextAttributes = [], bootstrap, context = {} } = options;
  const rendered = bootstrap && decider(bootstrap, context);
  const recorded = (context: EvaluationContext): Exposure["attributes"] =>
    Object.fromEntries(contextAttributes.map((name) => [name, context[name]])) as Exposure["attributes"];
  const [lean, inner] = open(options, decider, follow, contextAttributes.length > 0 ? recorded : undefined);

  const told = <T extends Json>(key: FlagKey, outcome: Outcome): Evaluation<Widened<T>> => {
    const reason = lean.state === "stale" && !outcome.errorCode ? "STALE" : outcome.reason;
    // A key that is no text may throw when it is made one.
    const metadata = typeof key === "string" ? lean.snapshot.flags[key]?.metadata : undefined;
    const all = { ...outcome, reason, tracks: undefined, revision: lean.revision, metadata };
    return Object.fromEntries(Object.entries(all).filter(([, each]) => each !== undefined)) as never;
  };

  // Onto the lean client and not around it: its getters stay getters.
  const client = Object.assign(lean, {
    evaluate: <T extends Json>(key: FlagKey, fallback: T) => told<T>(key, inner.noted(key, fallback)),
    peek: <T extends Json>(key: FlagKey, fallback: T) => told<T>(key, inner.answer(typeof key === "string" ? key : "", fallback)),
    peekRendered: <T extends Json>(key: FlagKey, fallback: T) => {
      const value = rendered?.(key).value;
      return (value !== undefined && hasTypeOf(value, fallback) ? value : fallback) as Widened<T>;
    },
    track: (name: string, { value, properties }: TrackDetails = {}) => {
      const unit = unitText(inner.context.targetingKey);
      const isFit =
        typeof name === "string" && name !== "" && unit !== undefined && (value === undefined || Number.isFinite(value));
      if (!isFit) inner.warn(`event ${String(name)} was not recorded: it needs a name, a targetingKey and a finite value`);
      else inner.record?.({ name, unit, value, properties: properties as MetricEvent["properties"] });
    },
  });
  return [client, inner];
}
