/* The provider under the real web SDK: our own scenarios, and the specification's suites where they are at hand. */
import type { Snapshot } from "@belay/protocol";
import { doorFaults, startSdkDoor } from "@belay/testkit";
import {
  ApiOfSdk,
  detailsOf,
  play,
  SUITE_FLAGS,
  type SuiteDetails,
  type SuiteEvaluation,
  type SuiteStatus,
  type SuiteTells,
  scenariosFor,
} from "@belay/testkit/openfeature";
import { type EvaluationContext, type Hook, OpenFeature, ProviderEvents } from "@openfeature/web-sdk";
import { afterAll, afterEach, beforeAll, expect, it, onTestFinished, vi } from "vitest";
import { type BelayClient, type ClientOptions, createClient } from "./index.ts";
import { BelayProvider, type BelayProviderOptions } from "./openfeature.ts";
import { snapshotOf } from "./rules.fixture.ts";

const RULES = snapshotOf(7, SUITE_FLAGS as Snapshot["flags"]);
const NOWHERE = "http://127.0.0.1:1";

/** The provider, noting the context it was given. */
class SeeingProvider extends BelayProvider {
  seen: EvaluationContext = {};

  override onContextChange(before: EvaluationContext, next: EvaluationContext): void {
    this.seen = next;
    super.onContextChange(before, next);
  }
}

class PageApi extends ApiOfSdk {
  #provider: SeeingProvider | undefined;

  get seenContext(): EvaluationContext {
    return this.#provider?.seen ?? {};
  }

  async provide(status: SuiteStatus, tells: SuiteTells): Promise<void> {
    if (status === "stable") return this.#set(clientOf({ bootstrap: RULES }), tells);
    if (status === "stale") return this.#provideStale();
    const client = clientOf({ url: NOWHERE, clientKey: "k" });
    if (status === "fatal") await client.close();
    const provider = new SeeingProvider(client, { readyTimeoutMs: status === "error" ? 10 : 60_000 });
    if (status === "not ready") OpenFeature.setProvider(provider);
    else await OpenFeature.setProviderAndWait(provider).catch(() => {});
  }

  /** The page came with rules, and the server says nothing of them. */
  async #provideStale(): Promise<void> {
    const door = await startSdkDoor({ sdkKey: "k" });
    onTestFinished(() => door.stop());
    for (const name of ["snapshot", "stream"] as const) door.behave(name, doorFaults.hang);
    await this.#set(clientOf({ url: door.url, clientKey: "k", bootstrap: RULES }));
    await expect.poll(() => this.status, { timeout: 10_000 }).toBe("STALE");
  }

  follow(url: string, clientKey: string): Promise<void> {
    return this.#set(clientOf({ url, clientKey }));
  }

  async #set(client: BelayClient, options: BelayProviderOptions = {}): Promise<void> {
    this.#provider = new SeeingProvider(client, options);
    await OpenFeature.setProviderAndWait(this.#provider);
  }

  onChanged(listener: (keys: readonly string[]) => void): void {
    OpenFeature.addHandler(ProviderEvents.ConfigurationChanged, (told) => listener((told?.flagsChanged ?? []) as string[]));
  }

  async evaluate({ contexts, clientHooks, invocationHooks, ...asked }: SuiteEvaluation): Promise<SuiteDetails> {
    const context = { ...contexts.get("API"), ...contexts.get("Invocation") } as EvaluationContext;
    // A context makes the SDK call a fatal provider ready again: it is set only where it is another one.
    if (JSON.stringify(context) !== JSON.stringify(OpenFeature.getContext())) await OpenFeature.setContext(context);
    const client = OpenFeature.getClient().addHooks(...(clientHooks as unknown as Hook[]));
    return detailsOf(client, asked, { hooks: invocationHooks });
  }

  track(name: string, details: Readonly<Record<string, string | number>>): void {
    OpenFeature.getClient().track(name, details);
  }
}

function clientOf(options: ClientOptions): BelayClient {
  const client = createClient({ logger: { warn: () => {} }, ...options });
  onTestFinished(async () => void (await client.close()));
  return client;
}

beforeAll(() => {
  // As much of a page as a client needs.
  vi.stubGlobal("document", Object.assign(new EventTarget(), { hidden: false }));
  vi.stubGlobal("addEventListener", () => {});
  vi.stubGlobal("removeEventListener", () => {});
});
afterAll(() => void vi.unstubAllGlobals());
afterEach(async () => {
  OpenFeature.clearHooks();
  OpenFeature.clearHandlers();
  await OpenFeature.clearProviders();
  await OpenFeature.clearContexts();
});

it.each(scenariosFor("static"))("%s", async (_, scenario) => {
  await play(scenario, new PageApi(OpenFeature));
  expect(scenario.steps.length).toBeGreaterThan(1);
});
