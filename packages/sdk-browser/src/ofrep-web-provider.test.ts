/* The web provider of OpenFeature's remote protocol, unmodified from npm, in a page of another origin than the server's. */
import { fileURLToPath } from "node:url";
import { adminOf, type ServerProcess, startPrefixProxy, startServer, type TempDir, tempDir } from "@belay/testkit";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { CHROMIUM, openPages, type Pages } from "./chromium.fixture.ts";
import type * as ofrepPage from "./ofrep-page.fixture.ts";

const PAGE = fileURLToPath(new URL("./ofrep-page.fixture.ts", import.meta.url));
const ANN = { targetingKey: "ann", country: "DE" };
const BULK = "/ofrep/v1/evaluate/flags";

// Without a browser there is nothing to run in; the fixture says so loudly.
describe.skipIf(CHROMIUM === undefined)("@openfeature/ofrep-web-provider in Chromium", () => {
  let data: TempDir;
  let server: ServerProcess;
  let pages: Pages;
  let clientKey: string;

  const call = (method: "POST" | "PUT", path: string, body: object) =>
    adminOf(server.url, server.adminToken).send<Record<string, unknown>>(method, `/projects/default${path}`, body);
  const enable = (enabled: boolean) => call("PUT", "/environments/production/flags/banner/enabled", { enabled });

  async function flag(key: string, draft: object, targeting: object): Promise<void> {
    await call("POST", "/flags", { key, clientSide: true, ...draft });
    await call("PUT", `/environments/production/flags/${key}`, { enabled: true, rules: [], ...targeting });
  }

  beforeAll(async () => {
    data = await tempDir("ofrep-web-provider");
    server = await startServer({ dataDir: data.path });
    clientKey = String((await call("POST", "/keys", { environment: "production", kind: "client" }))["secret"]);
    const german = { id: "de", when: { attribute: "country", op: "in", value: ["DE"] }, serve: { variant: "on" } };
    await flag("banner", {}, { off: "off", rules: [german], fallthrough: { variant: "off" } });
    await flag("title", { type: "string", variants: { plain: "Hello" } }, { fallthrough: { variant: "plain" } });
    await flag("count", { type: "number", variants: { many: 40.5 } }, { fallthrough: { variant: "many" } });
    await flag("layout", { type: "object", variants: { wide: { columns: 3 } } }, { fallthrough: { variant: "wide" } });
    await flag("valueless", {}, {});
    pages = await openPages(`export * from ${JSON.stringify(PAGE)};`);
  });
  afterEach(() => pages.clear());
  afterAll(async () => {
    await pages?.close();
    await server?.stop();
    await data?.remove();
  });

  interface Opened {
    readonly page: Page;
    readonly faults: string[];
    /** Statuses of bulk evaluations, in order. */
    readonly statuses: number[];
    /** URLs asked for. */
    readonly urls: string[];
  }

  /** Opens a page that asks the server at `url`. */
  async function open(url = server.url): Promise<Opened> {
    const { page, faults } = await pages.open();
    const statuses: number[] = [];
    const urls: string[] = [];
    page.on("request", (request) => void urls.push(request.url()));
    page.on("response", (response) => {
      const isBulk = new URL(response.url()).pathname.endsWith(BULK) && response.request().method() === "POST";
      if (isBulk) statuses.push(response.status());
    });
    await load(page, url);
    return { page, faults, statuses, urls };
  }

  const load = (page: Page, url = server.url): Promise<void> =>
    page.evaluate(
      async ([url, key, context]) => {
        const { start } = bundle as unknown as typeof ofrepPage;
        await start(url, { authorization: `Bearer ${key}` }, context);
      },
      [url, clientKey, ANN] as const,
    );
  const details = (page: Page, key: string, fallback: boolean | string | number | object) =>
    page.evaluate(([flagKey, value]) => (bundle as unknown as typeof ofrepPage).details(flagKey, value as string), [
      key,
      fallback,
    ] as const);
  const identify = (page: Page, context: Record<string, string>): Promise<void> =>
    page.evaluate((next) => (bundle as unknown as typeof ofrepPage).identify(next), context);
  /** Resolves once the page listens: its stream was answered. */
  const listening = (page: Page) =>
    page.waitForResponse((response) => new URL(response.url()).pathname === "/ofrep/v1/stream" && response.status() === 200);

  it("reads values of every type; errors and flags without a value give the code's default", async () => {
    const { page, faults, statuses } = await open();
    expect(await details(page, "banner", false)).toMatchObject({ value: true, variant: "on", reason: "TARGETING_MATCH" });
    expect(await details(page, "title", "none")).toMatchObject({ value: "Hello", variant: "plain", reason: "STATIC" });
    expect(await details(page, "count", 0)).toMatchObject({ value: 40.5, flagMetadata: { flagSetId: "default/production" } });
    expect(await details(page, "layout", {})).toMatchObject({ value: { columns: 3 } });
    expect(await details(page, "nowhere", "mine")).toMatchObject({ value: "mine", errorCode: "FLAG_NOT_FOUND" });
    expect(await details(page, "title", 7)).toMatchObject({ value: 7, errorCode: "TYPE_MISMATCH" });
    expect(await details(page, "valueless", true)).toMatchObject({ value: true, reason: "DEFAULT" });
    expect([statuses, faults]).toEqual([[200], []]);
  });

  it("keeps its tag when only attributes change, and gets the answer of the new ones; 304 for those it holds", async () => {
    const { page, statuses } = await open();
    // The provider answers from what it kept while it asks.
    await identify(page, { ...ANN, country: "FR" });
    await expect.poll(() => details(page, "banner", true)).toMatchObject({ value: false, reason: "DEFAULT" });
    await identify(page, { ...ANN, country: "FR" });
    await expect.poll(() => statuses.length).toBe(3);
    await identify(page, { ...ANN, targetingKey: "bob" });
    await expect.poll(() => details(page, "banner", false)).toMatchObject({ value: true });
    await expect.poll(() => statuses.length).toBe(4);
    expect(statuses).toEqual([200, 200, 304, 200]);
  });

  it("hears of a change by its stream, whose URL holds no key, and asks again once", async () => {
    await enable(true);
    const { page, statuses, urls } = await open();
    const startedAt = performance.now();
    await enable(false);
    await expect.poll(async () => (await details(page, "banner", true)).value, { timeout: 10_000, interval: 5 }).toBe(false);
    // The REST call included. The provider waits 50 ms before it asks; the rest is what a busy machine needs.
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect(statuses).toEqual([200, 200]);
    const changes = await page.evaluate(() => (bundle as unknown as typeof ofrepPage).changes());
    // Whatever the revision touched, the metadata of every flag names the new one.
    expect(changes.at(-1)).toContain("banner");
    expect(urls.filter((url) => url.includes("/ofrep/v1/stream?token=")).length).toBe(1);
    expect(urls.filter((url) => url.includes(clientKey))).toEqual([]);
  });

  it("hears of a change through a proxy that shows the server below a path of its own", async () => {
    const proxy = await startPrefixProxy(server.port, "/apps/flags");
    onTestFinished(() => proxy.close());
    await enable(true);
    const { page, statuses, urls } = await open(proxy.url);
    await enable(false);
    await expect.poll(async () => (await details(page, "banner", true)).value, { timeout: 10_000 }).toBe(false);
    expect(statuses).toEqual([200, 200]);
    expect(urls.filter((url) => url.startsWith(`${proxy.url}/ofrep/v1/stream?token=`)).length).toBe(1);
  });

  it("starts from what it kept, is told 304, and hears of changes by the stream it remembers", async () => {
    await enable(true);
    const { page, statuses } = await open();
    await page.reload();
    const isListening = listening(page);
    await load(page);
    expect(await details(page, "banner", false)).toMatchObject({ value: true });
    await isListening;
    await expect.poll(() => statuses).toEqual([200, 304]);
    await enable(false);
    await expect.poll(async () => (await details(page, "banner", true)).value, { timeout: 10_000 }).toBe(false);
    expect(statuses).toEqual([200, 304, 200]);
  });

  it("goes on by itself after the server was started again: the token of its stream still holds", async () => {
    await enable(true);
    const { page, statuses } = await open();
    await server.stop();
    server = await startServer({ dataDir: data.path, port: server.port });
    await enable(false);
    await expect.poll(async () => (await details(page, "banner", true)).value, { timeout: 30_000 }).toBe(false);
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
  });
});
