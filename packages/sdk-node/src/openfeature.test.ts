/* The provider under the real server SDK. The cases follow the specification's own suites for evaluation, hooks and metadata. */
import type { Json, Snapshot, SnapshotFlag } from "@belay/protocol";
import { startSdkDoor } from "@belay/testkit";
import {
  type EvaluationContext,
  type EvaluationDetails,
  type Hook,
  type JsonValue,
  OpenFeature,
  ProviderEvents,
} from "@openfeature/server-sdk";
import { afterEach, describe, expect, it } from "vitest";
import { type ClientOptions, createClient } from "./index.ts";
import { BelayProvider } from "./openfeature.ts";
import { changeOf, experiment, snapshotOf } from "./rules.fixture.ts";

const PICTURES = { showImages: true, title: "Look", imagesPerPage: 100 };

/** One flag a type: a plain one, one whose value is the type's zero, and one that gives the zero to one address. */
const TYPES = [
  ["boolean", false, true, false],
  ["string", "bye", "hi", ""],
  ["number", 1, 10, 0],
  ["object", { a: 1 }, PICTURES, {}],
] as const satisfies readonly (readonly [SnapshotFlag["type"], Json, Json, Json])[];

function flag(type: SnapshotFlag["type"], value: Json, zero: Json, rules: SnapshotFlag["rules"] = []): SnapshotFlag {
  return { type, variants: { full: value, zero }, enabled: true, rules, fallthrough: { variant: "full" } };
}

const FLAGS: Record<string, SnapshotFlag> = Object.fromEntries(
  TYPES.flatMap(([type, , value, zero]) => [
    [`${type}-flag`, flag(type, value, zero)],
    [`${type}-zero`, { ...flag(type, value, zero), fallthrough: { variant: "zero" } }],
    [
      `${type}-targeted`,
      flag(type, value, zero, [
        { id: "one", when: { attribute: "email", op: "in", value: "a@example.com" }, serve: { variant: "zero" } },
      ]),
    ],
  ]),
);

const RULES: Snapshot = snapshotOf(7, { ...FLAGS, off: { ...flag("boolean", true, false), enabled: false, off: "zero" } });

const OFFLINE = { bootstrap: RULES, offline: true };

async function clientFor(options: ClientOptions, readyTimeoutMs = 200) {
  const provider = new BelayProvider(
    createClient({ logger: { warn: () => {}, error: () => {} }, flushOnExit: false, ...options }),
    { readyTimeoutMs },
  );
  await OpenFeature.setProviderAndWait(provider).catch(() => {});
  return OpenFeature.getClient();
}

function details(
  client: ReturnType<typeof OpenFeature.getClient>,
  type: string,
  key: string,
  fallback: Json,
  context: EvaluationContext = {},
): Promise<EvaluationDetails<JsonValue>> {
  if (type === "boolean") return client.getBooleanDetails(key, fallback as boolean, context);
  if (type === "string") return client.getStringDetails(key, fallback as string, context);
  if (type === "number") return client.getNumberDetails(key, fallback as number, context);
  return client.getObjectDetails(key, fallback as JsonValue, context);
}

afterEach(async () => {
  OpenFeature.clearHooks();
  await OpenFeature.clearProviders();
});

describe.each(TYPES)("a flag of type %s", (type, fallback, value, zero) => {
  it("is resolved with value, variant, reason and what served it", async () => {
    const client = await clientFor(OFFLINE);
    expect(await details(client, type, `${type}-flag`, fallback)).toEqual({
      flagKey: `${type}-flag`,
      value,
      variant: "full",
      reason: "STATIC",
      flagMetadata: { flagSetId: "default/production", version: "7" },
    });
  });

  it("resolves the type's zero as a value", async () => {
    const client = await clientFor(OFFLINE);
    expect(await details(client, type, `${type}-zero`, fallback)).toMatchObject({
      value: zero,
      variant: "zero",
      reason: "STATIC",
    });
  });

  it.each([
    [{ email: "a@example.com" }, "TARGETING_MATCH", "zero"],
    [{ email: "b@example.com" }, "DEFAULT", "full"],
    [{ email: null }, "DEFAULT", "full"],
    [{}, "DEFAULT", "full"],
  ])("is targeted by %j with reason %s", async (context, reason, variant) => {
    const client = await clientFor(OFFLINE);
    expect(await details(client, type, `${type}-targeted`, fallback, context)).toMatchObject({ reason, variant });
  });

  it("answers the default for a key that is not there, for another type, and before rules came", async () => {
    const client = await clientFor(OFFLINE);
    const missing = { value: fallback, reason: "ERROR", errorCode: "FLAG_NOT_FOUND" };
    expect(await details(client, type, "nowhere", fallback)).toMatchObject(missing);
    const other = type === "string" ? "boolean-flag" : "string-flag";
    expect(await details(client, type, other, fallback)).toMatchObject({
      value: fallback,
      reason: "ERROR",
      errorCode: "TYPE_MISMATCH",
    });
    const unready = await clientFor({ url: "http://127.0.0.1:1", sdkKey: "k" });
    expect(await details(unready, type, `${type}-flag`, fallback)).toMatchObject({
      value: fallback,
      errorCode: "PROVIDER_NOT_READY",
    });
  });
});

describe("the provider", () => {
  it("names itself, and says DISABLED", async () => {
    const client = await clientFor(OFFLINE);
    expect(OpenFeature.providerMetadata).toEqual({ name: "Belay" });
    expect(await client.getBooleanDetails("off", true)).toMatchObject({ value: false, reason: "DISABLED", variant: "zero" });
  });

  it("lets hooks see before, after, error and finally, each with the details", async () => {
    const seen: unknown[] = [];
    const hook: Hook = {
      before: ({ flagKey }) => void seen.push(["before", flagKey]),
      after: (_, { value, variant }) => void seen.push(["after", value, variant]),
      error: (_, error) => void seen.push(["error", (error as { code?: string }).code]),
      finally: (_, { flagKey, reason, errorCode }) => void seen.push(["finally", flagKey, reason, errorCode]),
    };
    const client = (await clientFor(OFFLINE)).addHooks(hook);
    await client.getBooleanDetails("boolean-flag", false);
    await client.getStringDetails("nowhere", "uh-oh");
    expect(seen).toEqual([
      ["before", "boolean-flag"],
      ["after", true, "full"],
      ["finally", "boolean-flag", "STATIC", undefined],
      ["before", "nowhere"],
      ["error", "FLAG_NOT_FOUND"],
      ["finally", "nowhere", "ERROR", "FLAG_NOT_FOUND"],
    ]);
  });

  it("is stale over rules that nobody confirmed, and decides by them", async () => {
    const client = await clientFor({ bootstrap: RULES, url: "http://127.0.0.1:1", sdkKey: "k" });
    await expect.poll(() => client.providerStatus, { timeout: 10_000 }).toBe("STALE");
    expect(await client.getBooleanDetails("boolean-flag", false)).toMatchObject({ value: true, reason: "STALE" });
  });

  it("becomes ready, tells changed flags, keeps people apart, and sends what is tracked", async () => {
    const door = await startSdkDoor({ sdkKey: "k", snapshot: snapshotOf(7, { ...FLAGS, pricing: experiment() }) });
    try {
      const client = await clientFor({ url: door.url, sdkKey: "k" }, 10_000);
      expect(client.providerStatus).toBe("READY");
      const changed: unknown[] = [];
      client.addHandler(ProviderEvents.ConfigurationChanged, (told) => void changed.push(told?.flagsChanged));
      expect(await client.getStringValue("pricing", "none", { targetingKey: "user-1" })).toMatch(/^(compact|roomy)$/);
      await client.getStringValue("pricing", "none", { targetingKey: "user-2" });
      client.track("purchase", { targetingKey: "user-2" }, { value: 12.5, currency: "EUR" });
      const flag = { ...(FLAGS["boolean-flag"] as SnapshotFlag), fallthrough: { variant: "zero" } };
      door.publish(snapshotOf(8, { ...FLAGS, "boolean-flag": flag }), changeOf(8, { "boolean-flag": flag }));
      await expect.poll(() => client.getBooleanValue("boolean-flag", true)).toBe(false);
      expect(changed).toEqual([["boolean-flag"]]);
      await OpenFeature.clearProviders();
      expect(door.events.map((event) => [event["unit"], event["name"] ?? event["flag"]])).toEqual([
        ["user-1", "pricing"],
        ["user-2", "pricing"],
        ["user-2", "purchase"],
      ]);
      expect(door.events[2]).toMatchObject({ value: 12.5, properties: { currency: "EUR" } });
    } finally {
      await door.stop();
    }
  });
});
