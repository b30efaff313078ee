/*
 * The specification's suites on the provider under the real web SDK: our own scenarios always, the original ones where
 * BELAY_OPENFEATURE_SUITES names their folder (specification/assets/gherkin of open-feature/spec).
 */
import type { Snapshot } from "@belay/protocol";
import {
  type ApiUnderTest,
  play,
  readFeatures,
  SCENARIOS,
  type Scenario,
  SUITE_FLAGS,
  type SuiteDetails,
  type SuiteEvaluation,
  type SuiteStatus,
} from "@belay/testkit/openfeature";
import { type Client, type EvaluationContext, type Hook, type JsonValue, OpenFeature } from "@openfeature/web-sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { type BelayClient, type ClientOptions, createClient } from "./index.ts";
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

/** A page decides for one person: its API has one level of context, and hooks cannot add to it. */
const OTHER_LEVELS: readonly string[] = ["Transaction", "Client", "Invocation", "Before Hooks"];

function fits({ name, steps }: Scenario): boolean {
  const isMerging = steps.some(({ text }) => OTHER_LEVELS.some((level) => text.includes(`the "${level}" level`)));
  return !isMerging && NOT_BELAYS[name] === undefined;
}

/** The provider, noting the context it was given. */
class SeeingProvider extends BelayProvider {
  seen: EvaluationContext = {};

  override onContextChange(before: EvaluationContext, next: EvaluationContext): void {
    this.seen = next;
    super.onContextChange(before, next);
  }
}

class PageApi implements ApiUnderTest {
  #provider = new SeeingProvider(clientOf({ bootstrap: RULES }));

  get status(): string {
    return OpenFeature.getClient().providerStatus;
  }

  get seenContext(): EvaluationContext {
    return this.#provider.seen;
  }

  async provide(status: SuiteStatus): Promise<void> {
    if (status === "stable") return OpenFeature.setProviderAndWait(this.#provider);
    if (status === "stale") return this.#provideStale();
    const client = clientOf({ url: "http://127.0.0.1:1", clientKey: "k" });
    if (status === "fatal") await client.close();
    const provider = new SeeingProvider(client, { readyTimeoutMs: status === "error" ? 10 : 60_000 });
    if (status === "not ready") OpenFeature.setProvider(provider);
    else await OpenFeature.setProviderAndWait(provider).catch(() => {});
  }

  /** The page came with rules, and the server was never heard. */
  async #provideStale(): Promise<void> {
    const client = clientOf({ url: "http://127.0.0.1:1", clientKey: "k", bootstrap: RULES });
    await OpenFeature.setProviderAndWait(new SeeingProvider(client));
    await expect.poll(() => this.status, { timeout: 10_000 }).toBe("STALE");
  }

  async evaluate({ type, key, fallback, contexts, clientHooks, invocationHooks }: SuiteEvaluation): Promise<SuiteDetails> {
    const context = { ...contexts.get("API"), ...contexts.get("Invocation") } as EvaluationContext;
    // A context makes the SDK call a fatal provider ready again: it is set only where it is another one.
    if (JSON.stringify(context) !== JSON.stringify(OpenFeature.getContext())) await OpenFeature.setContext(context);
    const client = OpenFeature.getClient().addHooks(...(clientHooks as unknown as Hook[]));
    return detailsOf(client, { type, key, fallback }, { hooks: invocationHooks as unknown as Hook[] });
  }
}

function clientOf(options: Partial<ClientOptions>): BelayClient {
  const client = createClient({ logger: { warn: () => {} }, ...options });
  onTestFinished(async () => void (await client.close()));
  return client;
}

type Asked = Pick<SuiteEvaluation, "type" | "key" | "fallback">;

function detailsOf(client: Client, { type, key, fallback }: Asked, hooks: { hooks: Hook[] }): SuiteDetails {
  if (type === "boolean") return client.getBooleanDetails(key, fallback as boolean, hooks);
  if (type === "string") return client.getStringDetails(key, fallback as string, hooks);
  if (type === "number") return client.getNumberDetails(key, fallback as number, hooks);
  return client.getObjectDetails(key, fallback as JsonValue, hooks);
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
  await OpenFeature.clearProviders();
  await OpenFeature.clearContexts();
});

it.each(SCENARIOS.filter(fits).map((scenario) => [scenario.name, scenario] as const))("%s", async (_, scenario) => {
  await play(scenario, new PageApi());
  expect(scenario.steps.length).toBeGreaterThan(1);
});

const folder = process.env["BELAY_OPENFEATURE_SUITES"];
if (folder !== undefined) {
  describe("the original suites", () => {
    const originals = [...readFeatures(folder)].flatMap(([file, scenarios]) =>
      scenarios.filter(fits).map((scenario, index) => [`${file} ${index + 1}: ${scenario.name}`, scenario] as const),
    );
    it.each(originals)("%s", async (_, scenario) => {
      await play(scenario, new PageApi());
      expect(scenario.steps.length).toBeGreaterThan(1);
    });
  });
}
