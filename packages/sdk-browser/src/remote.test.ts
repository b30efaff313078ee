/* Answers instead of rules: the bundle in a real browser against the real, built server. */
import { openShop, type ServerProcess, type Shop, startPrefixProxy, startServer } from "@belay/testkit";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { CHROMIUM, openPages, type Pages } from "./chromium.fixture.ts";
import type * as sdk from "./index.ts";
import type * as reactApp from "./react-app.fixture.tsx";
import type * as remote from "./remote.ts";

const TARGETING = "/environments/production/flags";

// Without a browser there is nothing to run in; the fixture says so loudly.
describe.skipIf(CHROMIUM === undefined)("a page that is given answers and no rules", () => {
  let server: ServerProcess;
  let pages: Pages;
  let shop: Shop;
  let key: string;

  const call = (method: "POST" | "PUT", path: string, body: object) =>
    shop.admin.send<Record<string, unknown>>(method, `/projects/default${path}`, body);

  async function exposed(): Promise<string[]> {
    const rows = await shop.exposures();
    return rows.map(({ unit, variant, experiment, sdk }) => [unit, experiment, variant, sdk].join(" "));
  }

  beforeAll(async () => {
    server = await startServer();
    shop = await openShop(server, { by: "company" });
    key = await shop.key("remote");
    await call("POST", "/flags", { key: "vip", metadata: { ticket: "SHOP-8" } });
    await call("PUT", `${TARGETING}/vip`, {
      enabled: true,
      rules: [{ id: "named", when: { attribute: "mail", op: "in", value: ["ann@example.com"] }, serve: { variant: "on" } }],
      fallthrough: { variant: "off" },
    });
    pages = await openPages('export * from "sdk"; export * from "remote"; export * from "react-app";');
  });
  afterEach(() => pages.clear());
  afterAll(async () => {
    await pages?.close();
    await server?.stop();
  });

  /** Starts a client for ann, who works for acme, and waits until it is live or `timeoutMs` are over. */
  const start = (page: Page, timeoutMs = 15_000, address = server.url): Promise<string> =>
    page.evaluate(
      ([url, clientKey, timeoutMs]) => {
        const { createRemoteClient, localKeeper } = globalThis.bundle as unknown as typeof remote & typeof sdk;
        globalThis.heard = [];
        const context = { targetingKey: "ann", mail: "ann@example.com", company: "acme" };
        const logger = { warn: () => {} };
        globalThis.belay = createRemoteClient({ url, clientKey, context, keeper: localKeeper, logger });
        belay.on("change", ({ keys }) => heard.push(...keys));
        return belay.ready({ timeoutMs });
      },
      [address, key, timeoutMs] as const,
    );
  const answers = (page: Page): Promise<unknown[]> =>
    page.evaluate(() => [belay.isEnabled("vip"), belay.evaluate("pricing", "none"), belay.isEnabled("nowhere", true)]);

  it("hands rules to nobody: neither its key nor its answers tell of them", async () => {
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    for (const door of ["snapshot", "stream"]) {
      const refused = await fetch(`${server.url}/sdk/v1/${door}`, { headers });
      expect([refused.status, (await refused.json()).code]).toEqual([403, "wrong_key_kind"]);
    }
    const body = JSON.stringify({ context: { targetingKey: "x" } });
    const answered = await fetch(`${server.url}/ofrep/v1/evaluate/flags`, { method: "POST", headers, body });
    expect(await answered.text()).not.toMatch(/ann@|"rules"|"split"|salt|"when"|weights/);
  });

  it("answers as the server decides, follows changes, and exposes whom the split divides, once", async () => {
    const { page, faults } = await pages.open();
    expect(await start(page)).toBe("live");
    const [vip, pricing, missing] = await answers(page);
    expect([vip, missing]).toEqual([true, true]);
    expect(pricing).toMatchObject({
      reason: "SPLIT",
      revision: expect.any(Number),
      variant: expect.stringMatching(/^(compact|roomy)$/),
    });
    await page.evaluate(() => {
      for (let turn = 0; turn < 50; turn++) belay.value("pricing", "none");
      return belay.flush();
    });
    const { variant } = pricing as { variant: string };
    await expect.poll(exposed).toEqual([`acme pricing-test ${variant} browser/0.1.0`]);
    await call("PUT", `${TARGETING}/checkout/rollout`, { percentage: 100 });
    await expect.poll(() => page.evaluate(() => belay.isEnabled("checkout"))).toBe(true);
    expect(await page.evaluate(() => heard)).toContain("checkout");
    await call("PUT", `${TARGETING}/checkout/rollout`, { percentage: 0 });
    await expect.poll(() => page.evaluate(() => belay.isEnabled("checkout"))).toBe(false);
    expect(faults).toEqual([]);
  });

  it("follows through a proxy that shows the server below a path of its own", async () => {
    const proxy = await startPrefixProxy(server.port, "/apps/flags");
    onTestFinished(() => proxy.close());
    const { page } = await pages.open();
    expect(await start(page, 15_000, proxy.url)).toBe("live");
    await shop.roll(100);
    await expect.poll(() => page.evaluate(() => belay.isEnabled("checkout"))).toBe(true);
    await shop.roll(0);
    await expect.poll(() => page.evaluate(() => belay.isEnabled("checkout"))).toBe(false);
  });

  it("never answers one person with another's values, and asks at once for the next", async () => {
    const { page } = await pages.open();
    await start(page);
    const inBetween = await page.evaluate(() => {
      const before = belay.isEnabled("vip");
      belay.identify({ targetingKey: "bob", mail: "bob@example.com", company: "globex" });
      return [before, belay.isEnabled("vip"), belay.evaluate("pricing", "none")];
    });
    expect(inBetween.slice(0, 2)).toEqual([true, false]);
    expect(inBetween[2]).toMatchObject({ value: "none", errorCode: "PROVIDER_NOT_READY" });
    await expect.poll(() => page.evaluate(() => belay.value("pricing", "none"))).toMatch(/^(compact|roomy)$/);
    expect(await page.evaluate(() => [belay.isEnabled("vip", true), belay.evaluate("vip", true)])).toEqual([
      false,
      expect.objectContaining({ reason: "DEFAULT", metadata: { ticket: "SHOP-8" } }),
    ]);
  });

  it("starts from the answers kept for this very person while the server is away", async () => {
    const { page } = await pages.open();
    await start(page);
    expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toMatch(/ann@example/);
    await page.route(`${server.url}/**`, (route) => route.abort());
    await page.reload();
    expect(await start(page, 200)).toBe("stale");
    const [vip, pricing] = await answers(page);
    expect([vip, (pricing as { reason: string }).reason]).toEqual([true, "STALE"]);
    const other = await page.evaluate(() => {
      belay.identify({ targetingKey: "bob" });
      return belay.evaluate("vip", false);
    });
    expect(other).toMatchObject({ value: false, errorCode: "PROVIDER_NOT_READY" });
  });

  it("feeds a React tree: answers, changes and the next person's", async () => {
    await call("POST", "/flags", { key: "checkout-v2" });
    await call("PUT", `${TARGETING}/checkout-v2/rollout`, { percentage: 0 });
    pages.files.set(
      "/react",
      '<!doctype html><title>page</title><div id="root"></div><script type="module" src="/page.js"></script>',
    );
    const { page, faults } = await pages.open("/react");
    expect(await start(page)).toBe("live");
    await page.evaluate(() => (globalThis.bundle as unknown as typeof reactApp).show(belay));
    await expect.poll(() => page.textContent("#layout")).toMatch(/^(compact|roomy)$/);
    expect(await page.textContent("#checkout")).toBe("old");
    await call("PUT", `${TARGETING}/checkout-v2/rollout`, { percentage: 100 });
    await expect.poll(() => page.textContent("#checkout")).toBe("new");
    const inBetween = await page.evaluate(async () => {
      belay.identify({ targetingKey: "bob", company: "initech" });
      // React renders in the microtask before this one; no answer can have come.
      await new Promise<void>((resolve) => queueMicrotask(resolve));
      return document.getElementById("layout")?.textContent;
    });
    expect(inBetween).toBe("none");
    await expect.poll(() => page.textContent("#layout")).toMatch(/^(compact|roomy)$/);
    await page.evaluate(() => belay.flush());
    await expect.poll(exposed).toContainEqual(expect.stringMatching(/^initech pricing-test (compact|roomy) browser/));
    expect(faults).toEqual([]);
  });
});
