/*
 * The specification's suites on the provider under the real server SDK: our own scenarios always, the original ones where
 * BELAY_OPENFEATURE_SUITES names their folder (specification/assets/gherkin of open-feature/spec).
 */
import type { Snapshot } from "@belay/protocol";
import { startSdkDoor } from "@belay/testkit";
import {
  type ApiUnderTest,
  play,
  readFeatures,
  SCENARIOS,
  SUITE_FLAGS,
  type SuiteDetails,
  type SuiteEvaluation,
  type SuiteStatus,
} from "@belay/testkit/openfeature";
import {
  AsyncLocalStorageTransactionContextPropagator,
  type Client,
  type EvaluationContext,
  type Hook,
  type JsonValue,
  OpenFeature,
  type ResolutionDetails,
} from "@openfeature/server-sdk";
import { afterEach, describe, expect, it, onTestFinished } from "vitest";
import { testClient } from "./clients.fixture.ts";
import { BelayProvider } from "./openfeature.ts";
import { snapshotOf } from "./rules.fixture.ts";

const RULES = snapshotOf(7, SUITE_FLAGS as Snapshot["flags"]);

/** What of the original suites does not fit Belay, and why. */
const NOT_BELAYS: Readonly<Record<string, string>> = {
  "CACHED reason": "every decision is made anew",
  "Returns metadata": "flags carry no metadata of their own",
  "Flag metadata in evaluation details": "flags carry no metadata of their own",
  "Returns no metadata": "the metadata of every answer names the version of the rules",
};

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

class ServerApi implements ApiUnderTest {
  #provider = new SeeingProvider(testClient({ bootstrap: RULES, offline: true }).belay);

  get status(): string {
    return OpenFeature.getClient().providerStatus;
  }

  get seenContext(): EvaluationContext {
    return this.#provider.seen;
  }

  async provide(status: SuiteStatus): Promise<void> {
    const unreachable = { url: "http://127.0.0.1:1" };
    if (status === "stable") return OpenFeature.setProviderAndWait(this.#provider);
    if (status === "stale") return this.#provideStale();
    const { belay } = testClient(status === "fatal" ? { bootstrap: RULES, offline: true } : unreachable);
    if (status === "fatal") await belay.close();
    const provider = new SeeingProvider(belay, { readyTimeoutMs: status === "error" ? 10 : 60_000 });
    if (status === "not ready") OpenFeature.setProvider(provider);
    else await OpenFeature.setProviderAndWait(provider).catch(() => {});
  }

  /** Rules came, and then the server was heard no more. */
  async #provideStale(): Promise<void> {
    const door = await startSdkDoor({ sdkKey: "sdk-1", snapshot: RULES, heartbeatMs: 250 });
    onTestFinished(() => door.stop());
    const { belay } = testClient({ url: door.url });
    await OpenFeature.setProviderAndWait(new SeeingProvider(belay));
    await door.stop();
    await expect.poll(() => this.status, { timeout: 10_000 }).toBe("STALE");
  }

  async evaluate({ type, key, fallback, contexts, clientHooks, invocationHooks }: SuiteEvaluation): Promise<SuiteDetails> {
    const at = (level: string): EvaluationContext => (contexts.get(level) ?? {}) as EvaluationContext;
    OpenFeature.setContext(at("API"));
    OpenFeature.setTransactionContextPropagator(new AsyncLocalStorageTransactionContextPropagator());
    const client = OpenFeature.getClient(at("Client")).addHooks(...(clientHooks as unknown as Hook[]));
    const hooks = { hooks: invocationHooks as unknown as Hook[] };
    return new Promise((resolve, reject) => {
      OpenFeature.setTransactionContext(at("Transaction"), () => {
        detailsOf(client, { type, key, fallback }, at("Invocation"), hooks).then(resolve, reject);
      });
    });
  }
}

type Asked = Pick<SuiteEvaluation, "type" | "key" | "fallback">;

function detailsOf(
  client: Client,
  { type, key, fallback }: Asked,
  context: EvaluationContext,
  hooks: { hooks: Hook[] },
): Promise<SuiteDetails> {
  if (type === "boolean") return client.getBooleanDetails(key, fallback as boolean, context, hooks);
  if (type === "string") return client.getStringDetails(key, fallback as string, context, hooks);
  if (type === "number") return client.getNumberDetails(key, fallback as number, context, hooks);
  return client.getObjectDetails(key, fallback as JsonValue, context, hooks);
}

afterEach(async () => {
  OpenFeature.clearHooks();
  OpenFeature.setContext({});
  await OpenFeature.clearProviders();
});

it.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))("%s", async (_, scenario) => {
  await play(scenario, new ServerApi());
  expect(scenario.steps.length).toBeGreaterThan(1);
});

const folder = process.env["BELAY_OPENFEATURE_SUITES"];
if (folder !== undefined) {
  describe("the original suites", () => {
    const originals = [...readFeatures(folder)].flatMap(([file, scenarios]) =>
      scenarios
        .filter(({ name }) => NOT_BELAYS[name] === undefined)
        .map((scenario, index) => [`${file} ${index + 1}: ${scenario.name}`, scenario] as const),
    );
    it.each(originals)("%s", async (_, scenario) => {
      await play(scenario, new ServerApi());
      expect(scenario.steps.length).toBeGreaterThan(1);
    });
  });
}
