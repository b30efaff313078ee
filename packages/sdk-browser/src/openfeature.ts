/** Belay as the provider of `@openfeature/web-sdk`: one client, one provider, one person at a time. */
import { metricOf, originOf, type ProviderOptions, resolutionOf } from "@belay/core";
import type { Evaluation, EvaluationContext, Json } from "@belay/protocol";
import {
  type JsonValue,
  type EvaluationContext as OpenFeatureContext,
  OpenFeatureEventEmitter,
  type Provider,
  type ProviderEmittableEvents,
  ProviderEvents,
  ProviderFatalError,
  ProviderNotReadyError,
  type ResolutionDetails,
  StandardResolutionReasons,
  type TrackingEventDetails,
} from "@openfeature/web-sdk";
import type { BelayClient } from "./create-client.ts";

export interface BelayProviderOptions extends ProviderOptions {
  /**
   * Whether an answer that the client remembers, for the same person and the same rules, says `CACHED` in place of the reason
   * it was given first; errors and `STALE` are said as they are. @default false
   */
  readonly tellsCached?: boolean;
}

/**
 * Answers OpenFeature from a Belay client. Reasons and error codes are OpenFeature's own; metadata is the flag's, and names
 * the flag set, the version of the rules and the rule that served.
 *
 * @example
 * await OpenFeature.setProviderAndWait(new BelayProvider(createClient({ url, clientKey })), { targetingKey: "user-42" });
 */
export class BelayProvider implements Provider {
  readonly metadata = { name: "Belay" } as const;
  readonly runsOn = "client";
  readonly events: OpenFeatureEventEmitter = new OpenFeatureEventEmitter();
  readonly #client: BelayClient;
  readonly #readyTimeoutMs: number;
  readonly #tellsOrigin: boolean;
  readonly #tellsCached: boolean;
  /** Flags whose answers the client remembers: those asked for since person and rules last changed. */
  readonly #remembered = new Set<string>();
  readonly #offs: (() => void)[] = [];
  /** Another context is no change of configuration: OpenFeature tells of it by itself. */
  #isIdentifying = false;

  constructor(client: BelayClient, options: BelayProviderOptions = {}) {
    const { readyTimeoutMs = 5_000, tellsOrigin = true, tellsCached = false } = options;
    this.#client = client;
    this.#readyTimeoutMs = readyTimeoutMs;
    this.#tellsOrigin = tellsOrigin;
    this.#tellsCached = tellsCached;
  }

  /**
   * @throws ProviderNotReadyError where no rules came in time; the provider becomes ready by itself once they do
   * @throws ProviderFatalError over a client that was closed: it never decides again
   */
  async initialize(context?: OpenFeatureContext): Promise<void> {
    if (this.#client.state === "closed") throw new ProviderFatalError("the Belay client was closed");
    this.#identify(context);
    const state = this.#client.state;
    if (state === "starting") await this.#client.ready({ timeoutMs: this.#readyTimeoutMs });
    this.#listen();
    if (this.#client.state === "starting") throw new ProviderNotReadyError("no rules came from the server yet");
    // Rules kept from before are rules, but nobody confirmed them: said once OpenFeature has called the provider ready.
    setTimeout(() => {
      if (this.#client.state === "stale") this.events.emit(ProviderEvents.Stale);
    });
  }

  onContextChange(_: OpenFeatureContext, next: OpenFeatureContext): void {
    this.#identify(next);
  }

  async onClose(): Promise<void> {
    for (const off of this.#offs.splice(0)) off();
    await this.#client.close();
  }

  resolveBooleanEvaluation(key: string, fallback: boolean): ResolutionDetails<boolean> {
    return this.#resolve(key, fallback);
  }

  resolveStringEvaluation(key: string, fallback: string): ResolutionDetails<string> {
    return this.#resolve(key, fallback);
  }

  resolveNumberEvaluation(key: string, fallback: number): ResolutionDetails<number> {
    return this.#resolve(key, fallback);
  }

  resolveObjectEvaluation<T extends JsonValue>(key: string, fallback: T): ResolutionDetails<T> {
    return this.#resolve(key, fallback);
  }

  /** A metric event of the person the client decides for. */
  track(name: string, _: OpenFeatureContext, details: TrackingEventDetails = {}): void {
    this.#client.track(name, metricOf(details));
  }

  #identify(context: OpenFeatureContext = {}): void {
    this.#isIdentifying = true;
    this.#client.identify(context as EvaluationContext);
    this.#isIdentifying = false;
  }

  #listen(): void {
    const emit = (event: ProviderEmittableEvents, more = {}): void => this.events.emit(event, more);
    this.#offs.push(
      this.#client.on("change", (change) => {
        this.#remembered.clear();
        if (!this.#isIdentifying) emit(ProviderEvents.ConfigurationChanged, { flagsChanged: [...change.keys] });
      }),
      this.#client.on("state", (state) => {
        if (state === "live") emit(ProviderEvents.Ready);
        if (state === "stale") emit(ProviderEvents.Stale);
      }),
    );
  }

  #resolve<T extends JsonValue>(key: string, fallback: T): ResolutionDetails<T> {
    const told = this.#client.evaluate<Json>(key, fallback as Json);
    const { project, environment } = this.#client.snapshot;
    const origin = this.#tellsOrigin ? originOf(told, `${project}/${environment}`) : undefined;
    const resolution = resolutionOf(told, origin) as ResolutionDetails<T>;
    return this.#isRemembered(key, told) ? { ...resolution, reason: StandardResolutionReasons.CACHED } : resolution;
  }

  #isRemembered(key: string, { errorCode, reason }: Evaluation): boolean {
    if (!this.#tellsCached || errorCode !== undefined || reason === "STALE") return false;
    const isRemembered = this.#remembered.has(key);
    this.#remembered.add(key);
    return isRemembered;
  }
}
