/* The provider that others install from npm, unmodified, against this server over a socket. */
import { OFREPProvider } from "@openfeature/ofrep-provider";
import { type Client, type JsonValue, OpenFeature } from "@openfeature/server-sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { E, type TestServer, testServer } from "../app.fixture.ts";
import { openShop } from "./shop.fixture.ts";

let server: TestServer;
let baseUrl: string;

beforeAll(async () => {
  server = await testServer({ ofrep: { requestsPerSecond: 50 } });
  await openShop(server);
  baseUrl = await server.app.listen({ host: "127.0.0.1", port: 0 });
});
afterAll(async () => {
  await OpenFeature.clearProviders();
  await server.close();
});

async function clientWith(domain: string, headers: Record<string, string>): Promise<Client> {
  await OpenFeature.setProviderAndWait(domain, new OFREPProvider({ baseUrl, headers: Object.entries(headers) }));
  return OpenFeature.getClient(domain, { targetingKey: "ann" });
}

const authorized = (more: Record<string, string> = {}): Promise<Client> =>
  clientWith(JSON.stringify(more), { authorization: `Bearer ${server.sdkKeys["production"]}`, ...more });

describe("@openfeature/ofrep-provider", () => {
  it("reads values of every type with variant, reason and metadata", async () => {
    const client = await authorized();
    const version = String((await server.ask("GET", E)).body.revision);
    const flagMetadata = { flagSetId: "default/production", version };
    expect(await client.getBooleanDetails("browser-banner", false, { country: "DE" })).toEqual({
      flagKey: "browser-banner",
      value: true,
      variant: "on",
      reason: "TARGETING_MATCH",
      flagMetadata: { ...flagMetadata, ruleId: "de" },
    });
    expect(await client.getStringDetails("browser-title", "none")).toMatchObject({
      value: "Hello",
      reason: "STATIC",
      flagMetadata,
    });
    expect(await client.getNumberDetails("count", 0)).toMatchObject({
      value: 40.5,
      variant: "many",
      flagMetadata: { ...flagMetadata, ticket: "SHOP-7", beta: true },
    });
    expect(await client.getObjectDetails<JsonValue>("layout", {})).toMatchObject({ value: { columns: 3, gaps: [1, 2] } });
    const split = await client.getStringDetails("pricing", "none");
    expect(split).toMatchObject({ reason: "SPLIT", flagMetadata: { experiment: "pricing-test", unit: "ann" } });
  });

  it.each([
    ["nowhere", "FLAG_NOT_FOUND"],
    ["a b/c", "FLAG_NOT_FOUND"],
    ["count", "TYPE_MISMATCH"],
  ])("%s as a text: the default and %s", async (key, errorCode) => {
    const client = await authorized();
    expect(await client.getStringDetails(key, "mine")).toMatchObject({ value: "mine", reason: "ERROR", errorCode });
  });

  it("hears that a unit is missing", async () => {
    const client = await authorized();
    const told = await client.getStringDetails("pricing", "mine", { targetingKey: "" });
    expect(told).toMatchObject({ value: "mine", errorCode: "TARGETING_KEY_MISSING" });
  });

  it("takes a success without a value for a broken answer; asked for as an error it is told in words", async () => {
    const told = async (more: Record<string, string>) => (await authorized(more)).getBooleanDetails("valueless", true);
    expect(await told({})).toMatchObject({
      value: true,
      errorCode: "GENERAL",
      errorMessage: expect.stringContaining("expected format"),
    });
    const error = await told({ "belay-defaults": "error" });
    expect(error).toMatchObject({ value: true, errorCode: "GENERAL", errorMessage: expect.stringContaining("use the default") });
    expect(await told({ "belay-defaults": "omit" })).toMatchObject({ value: true, errorCode: "FLAG_NOT_FOUND" });
  });

  it("is let in with X-API-Key, and with nothing falls back to the default", async () => {
    const keyed = await clientWith("keyed", { "x-api-key": String(server.sdkKeys["production"]) });
    expect(await keyed.getNumberValue("count", 0)).toBe(40.5);
    const stranger = await clientWith("stranger", {});
    expect(await stranger.getNumberDetails("count", 7)).toMatchObject({ value: 7, errorCode: "GENERAL" });
  });

  it("decides differently once a change was made", async () => {
    const client = await authorized();
    expect(await client.getBooleanValue("browser-banner", false, { country: "DE" })).toBe(true);
    await server.ask("PUT", `${E}/flags/browser-banner/enabled`, { enabled: false });
    expect(await client.getBooleanDetails("browser-banner", true, { country: "DE" })).toMatchObject({
      value: false,
      reason: "DISABLED",
    });
  });

  it("pauses after 429 for as long as it was told", async () => {
    const client = await authorized();
    const codes = new Set<string>();
    for (let n = 0; n < 60; n += 1) codes.add((await client.getNumberDetails("count", 0)).errorMessage ?? "fine");
    const paused = [...codes].filter((message) => message.includes("TooManyRequests until"));
    expect([codes.has("fine"), paused.length > 0]).toEqual([true, true]);
  });
});
