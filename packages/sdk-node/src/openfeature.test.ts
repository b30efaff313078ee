/* The provider under the real server SDK: our own scenarios, and the specification's suites where they are at hand. */
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
import {
  AsyncLocalStorageTransactionContextPropagator,
  type EvaluationContext,
  type Hook,
  OpenFeature,
  ProviderEvents,
  type ResolutionDetails,
} from "@openfeature/server-sdk";
import { afterEach, expect, it, onTestFinished } from "vitest";
import { testClient } from "./clients.fixture.ts";
import type { BelayClient } from "./index.ts";
import { BelayProvider, type BelayProviderOptions } from "./openfeature.ts";
import { snapshotOf } from "./rules.fixture.ts";

const RULES = snapshotOf(7, SUITE_FLAGS as Snapshot["flags"]);

/** The provider, noting the context it was given. */
class SeeingProvider extends BelayProvider {
  seen: EvaluationContext = {};

  override async resolveStringEvaluation(
    key: string,
    fallback: string,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<string>> {
    this.seen = context;
    return super.resolveStringEvaluation(key, fallback, context);
  }
}

class ServerApi extends ApiOfSdk {
  #provider: SeeingProvider | undefined;

  get seenContext(): EvaluationContext {
    return this.#provider?.seen ?? {};
  }

  async provide(status: SuiteStatus, tells: SuiteTells): Promise<void> {
    const offline = { bootstrap: RULES, offline: true };
    if (status === "stable") return this.#set(testClient(offline).belay, { tellsOrigin: tells.tellsOrigin });
    if (status === "stale") return this.#provideStale();
    const { belay } = testClient(status === "fatal" ? offline : { url: "http://127.0.0.1:1" });
    if (status === "fatal") await belay.close();
    const provider = new SeeingProvider(belay, { readyTimeoutMs: status === "error" ? 10 : 60_000 });
    if (status === "not ready") OpenFeature.setProvider(provider);
    else await OpenFeature.setProviderAndWait(provider).catch(() => {});
  }

  /** Rules came, and then the server was heard no more. */
  async #provideStale(): Promise<void> {
    const door = await startSdkDoor({ sdkKey: "sdk-1", snapshot: RULES, heartbeatMs: 250 });
    onTestFinished(() => door.stop());
    await this.follow(door.url, "sdk-1");
    for (const name of ["snapshot", "stream"] as const) door.behave(name, doorFaults.hang);
    door.endStreams();
    await expect.poll(() => this.status, { timeout: 10_000 }).toBe("STALE");
  }

  follow(url: string, sdkKey: string): Promise<void> {
    return this.#set(testClient({ url, sdkKey }).belay);
  }

  async #set(client: BelayClient, options: BelayProviderOptions = {}): Promise<void> {
    this.#provider = new SeeingProvider(client, options);
    await OpenFeature.setProviderAndWait(this.#provider);
  }

  onChanged(listener: (keys: readonly string[]) => void): void {
    OpenFeature.addHandler(ProviderEvents.ConfigurationChanged, (told) => listener((told?.flagsChanged ?? []) as string[]));
  }

  async evaluate({ contexts, clientHooks, invocationHooks, ...asked }: SuiteEvaluation): Promise<SuiteDetails> {
    const at = (level: string): EvaluationContext => (contexts.get(level) ?? {}) as EvaluationContext;
    OpenFeature.setContext(at("API"));
    OpenFeature.setTransactionContextPropagator(new AsyncLocalStorageTransactionContextPropagator());
    const client = OpenFeature.getClient(at("Client")).addHooks(...(clientHooks as unknown as Hook[]));
    return new Promise((resolve, reject) => {
      OpenFeature.setTransactionContext(at("Transaction"), () => {
        detailsOf(client, asked, at("Invocation"), { hooks: invocationHooks }).then(resolve, reject);
      });
    });
  }

  track(name: string, details: Readonly<Record<string, string | number>>): void {
    OpenFeature.getClient().track(name, {}, details);
  }
}

afterEach(async () => {
  OpenFeature.clearHooks();
  OpenFeature.clearHandlers();
  OpenFeature.setContext({});
  await OpenFeature.clearProviders();
});

it.each(scenariosFor("dynamic"))("%s", async (_, scenario) => {
  await play(scenario, new ServerApi(OpenFeature));
  expect(scenario.steps.length).toBeGreaterThan(1);
});
