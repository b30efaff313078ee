/** Belay as the provider of `@openfeature/server-sdk`. */
import { metricOf, originOf, type ProviderOptions, resolutionOf } from "@belay/core";
import type { Client } from "@belay/core/client";
import type { EvaluationContext, Json } from "@belay/protocol";
import {
  type JsonValue,
  type EvaluationContext as OpenFeatureContext,
  OpenFeatureEventEmitter,
  type Provider,
  ProviderEvents,
  ProviderFatalError,
  ProviderNotReadyError,
  type ResolutionDetails,
  type TrackingEventDetails,
} from "@openfeature/server-sdk";
import type { BelayClient } from "./flag-types.ts";

export type { ProviderOptions as BelayProviderOptions } from "@belay/core";

/**
 * Answers OpenFeature from a Belay client. Reasons and error codes are OpenFeature's own; metadata is the flag's, and names
 * the version of the rules and the rule that served. Decisions are made in the process: the promises it answers with are settled already.
 *
 * @example
 * await OpenFeature.setProviderAndWait(new BelayProvider(createClient({ url, sdkKey })));
 */
export class BelayProvider implements Provider {
  readonly metadata = { name: "Belay" } as const;
  readonly runsOn = "server";
  readonly events: OpenFeatureEventEmitter = new OpenFeatureEventEmitter();
  // Without the application's declared keys: OpenFeature asks by any text.
  readonly #client: Client;
  readonly #readyTimeoutMs: number;
  readonly #tellsOrigin: boolean;
  readonly #offs: (() => void)[] = [];

  constructor(client: BelayClient, { readyTimeoutMs = 5_000, tellsOrigin = true }: ProviderOptions = {}) {
    this.#client = client as unknown as Client;
    this.#readyTimeoutMs = readyTimeoutMs;
    this.#tellsOrigin = tellsOrigin;
  }

  /**
   * @throws ProviderNotReadyError where no rules came in time; the provider becomes ready by itself once they do
   * @throws ProviderFatalError over a client that was closed: it never decides again
   */
  async initialize(): Promise<void> {
    if (this.#client.state === "closed") throw new ProviderFatalError("the Belay client was closed");
    if (this.#client.state === "starting") await this.#client.ready({ timeoutMs: this.#readyTimeoutMs });
    this.#listen();
    if (this.#client.state === "starting") throw new ProviderNotReadyError("no rules came from the server yet");
    // Rules kept from before are rules, but nobody confirmed them: said once OpenFeature has called the provider ready.
    setTimeout(() => {
      if (this.#client.state === "stale") this.events.emit(ProviderEvents.Stale);
    });
  }

  async onClose(): Promise<void> {
    for (const off of this.#offs.splice(0)) off();
    await this.#client.close();
  }

  async resolveBooleanEvaluation(
    key: string,
    fallback: boolean,
    context: OpenFeatureContext,
  ): Promise<ResolutionDetails<boolean>> {
    return this.#resolve(key, fallback, context);
  }

  async resolveStringEvaluation(key: string, fallback: string, context: OpenFeatureContext): Promise<ResolutionDetails<string>> {
    return this.#resolve(key, fallback, context);
  }

  async resolveNumberEvaluation(key: string, fallback: number, context: OpenFeatureContext): Promise<ResolutionDetails<number>> {
    return this.#resolve(key, fallback, context);
  }

  async resolveObjectEvaluation<T extends JsonValue>(
    key: string,
    fallback: T,
    context: OpenFeatureContext,
  ): Promise<ResolutionDetails<T>> {
    return this.#resolve(key, fallback, context);
  }

  /** A metric event of the context's targeting key. */
  track(name: string, context: OpenFeatureContext, details: TrackingEventDetails = {}): void {
    this.#client.track(name, context as EvaluationContext, metricOf(details));
  }

  #listen(): void {
    this.#offs.push(
      this.#client.on("change", ({ keys }) => this.events.emit(ProviderEvents.ConfigurationChanged, { flagsChanged: [...keys] })),
      this.#client.on("state", (state) => {
        if (state === "live") this.events.emit(ProviderEvents.Ready);
        if (state === "stale") this.events.emit(ProviderEvents.Stale);
      }),
    );
  }

  #resolve<T extends JsonValue>(key: string, fallback: T, context: OpenFeatureContext): ResolutionDetails<T> {
    const told = this.#client.evaluate<Json>(key, context as EvaluationContext, fallback as Json);
    const origin = this.#tellsOrigin ? originOf(told, this.#client.flagSetId) : undefined;
    return resolutionOf(told, origin) as ResolutionDetails<T>;
  }
}
