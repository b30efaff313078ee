import { createServer } from "node:http";
import { join } from "node:path";
import type { WebhookDelivery } from "@belay/protocol";
import { tempDir } from "@belay/testkit";
import { Webhook as Verifier } from "standardwebhooks";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { P, type TestServer, testServer } from "../app.fixture.ts";
import { type DeliveryStore, openDeliveryStore } from "../store/deliveries/index.ts";
import { Courier } from "./courier.ts";
import { type Heard, listening, receiver } from "./receiver.fixture.ts";
import { webhookDoors } from "./routes.ts";
import { type Send, sender } from "./sender.ts";

let server: TestServer;
let store: DeliveryStore;
let courier: Courier;
let faults: unknown[];
let close: () => Promise<void>;

beforeEach(async () => {
  const dir = await tempDir("webhooks");
  store = await openDeliveryStore(join(dir.path, "deliveries.db"));
  const send = sender({ allow: ["127.0.0.1"] });
  faults = [];
  const parts = { store, send, now: () => server.clock.now };
  server = await testServer({
    doors: [
      (access, control) =>
        webhookDoors({ ...parts, courier: { wake: () => courier.wake() }, fillRandom: (bytes) => crypto.getRandomValues(bytes) })(
          access,
          control,
        ),
    ],
  });
  courier = startCourier(send);
  courier.wake();
  await expect.poll(() => store.position()).toBeGreaterThan(0);
  close = async () => {
    await courier.close();
    await server.close();
    await store.close();
    await dir.remove();
  };
});
afterEach(() => close());

function startCourier(send: Send): Courier {
  const onFault = (error: unknown): void => void faults.push(error);
  const { log, control, clock } = server;
  return new Courier({ log, control, store, send, now: () => clock.now, random: () => 0.5, holder: "a", onFault, everyMs: 5 });
}

const createHook = (url: string, more: object = {}) => server.ask("POST", `${P}/webhooks`, { key: "ops", url, ...more });
const createFlag = (key: string) => server.ask("POST", `${P}/flags`, { key, type: "boolean" });
const deliveries = async (): Promise<WebhookDelivery[]> => (await server.ask("GET", `${P}/webhooks/ops/deliveries`)).body.items;

describe("messages", () => {
  it("tell each change once, signed so that the specification's own library verifies them", async () => {
    const { url, heard } = await receiver();
    const { body: made } = await createHook(url, { types: ["flag.*"] });
    expect(made).toMatchObject({ key: "ops", enabled: true, format: "json", secret: expect.stringMatching(/^whsec_.{32}$/) });
    for (const key of ["a", "b", "c"]) await createFlag(key);
    await expect.poll(() => heard.length).toBe(3);
    const said = heard.map((one) => verified(made.secret, one));
    expect(said).toMatchObject([
      { type: "flag.create", timestamp: "2026-11-22T12:00:00.000Z", data: { target: { kind: "flag", key: "a" } } },
      { type: "flag.create", data: { target: { key: "b" } } },
      { type: "flag.create", data: { target: { key: "c" } } },
    ]);
    expect(new Set(heard.map(({ headers }) => headers["webhook-id"])).size).toBe(3);
    const [first] = heard as [Heard];
    expect(() => verified(made.secret, { ...first, body: `${first.body} ` })).toThrow("No matching signature found");
    expect(await deliveries()).toMatchObject(Array(3).fill({ status: "delivered", attempts: [{ status: 200 }] }));
    expect(faults).toEqual([]);
  });

  it("go on where they stopped when the server starts again: what happened meanwhile is told once", async () => {
    const { url, heard } = await receiver();
    await createHook(url, { types: ["flag.*"] });
    await courier.close();
    await createFlag("a");
    await createFlag("b");
    courier = startCourier(sender({ allow: ["127.0.0.1"] }));
    await expect.poll(() => heard.length).toBe(2);
    await createFlag("c");
    await expect.poll(() => heard.length).toBe(3);
    expect(heard.map(({ body }) => JSON.parse(body).data.target.key).sort()).toEqual(["a", "b", "c"]);
  });

  it("are carried by one node of several", async () => {
    const { url, heard } = await receiver();
    await createHook(url, { types: ["flag.*"] });
    const { log, control, clock } = server;
    const other = new Courier({
      log,
      control,
      store,
      send: () => Promise.reject(new Error("it holds no lease")),
      now: () => clock.now,
      random: () => 0,
      holder: "b",
      onFault: (error) => void faults.push(error),
      everyMs: 1,
    });
    for (let at = 0; at < 20; at++) await createFlag(`flag-${at}`);
    await expect.poll(() => heard.length).toBe(20);
    await other.close();
    expect(faults).toEqual([]);
  });

  it("in Slack's shape hold one line, with nothing in it that Slack would act on", async () => {
    const { url, heard } = await receiver();
    await createHook(url, { format: "slack", types: ["segment.*"] });
    await server.ask("POST", `${P}/segments`, { key: "staff", when: { all: [] }, reason: "<!channel> & <b>" });
    await expect.poll(() => heard.length).toBe(1);
    expect(JSON.parse(heard[0]?.body ?? "")).toEqual({
      text: expect.stringMatching(
        /^\S.* made `segment\.create` on segment `staff` in default, revision \d+: &lt;!channel&gt; &amp; &lt;b&gt;$/,
      ),
    });
  });
});

describe("a receiver in trouble", () => {
  it("is tried again, later and later, with the same id and bytes, until it takes the message", async () => {
    const { url, heard, answers } = await receiver();
    await createHook(url, { types: ["flag.*"] });
    answers.push(500, 503, 200);
    await createFlag("a");
    for (const [tries, waitMs] of [
      [1, 5_000],
      [2, 30_000],
    ] as const) {
      await expect.poll(async () => (await deliveries())[0]?.attempts.length).toBe(tries);
      expect((await deliveries())[0]).toMatchObject({
        status: "pending",
        nextAttemptAt: new Date(server.clock.now + waitMs).toISOString(),
      });
      server.clock.now += waitMs;
    }
    await expect.poll(async () => (await deliveries())[0]?.status).toBe("delivered");
    expect(heard).toHaveLength(3);
    expect(new Set(heard.map(({ headers, body }) => `${headers["webhook-id"]} ${body}`)).size).toBe(1);
    expect(new Set(heard.map(({ headers }) => headers["webhook-signature"])).size).toBe(3);
  });

  it("makes a dead letter in the end, which somebody sends again", async () => {
    const { url, heard, answers } = await receiver();
    await createHook(url, { types: ["flag.*"] });
    answers.push(410);
    await createFlag("a");
    await expect.poll(async () => (await deliveries())[0]?.status).toBe("dead");
    const [dead] = (await server.ask("GET", `${P}/webhooks/ops/deliveries?status=dead`)).body.items;
    expect(dead.attempts).toMatchObject([{ status: 410, fault: "it answered 410: ok" }]);
    expect((await server.ask("POST", `${P}/webhooks/ops/deliveries/${dead.id}/resend`)).status).toBe(202);
    await expect.poll(async () => (await deliveries())[0]?.status).toBe("delivered");
    expect(heard).toHaveLength(2);
    expect((await server.ask("POST", `${P}/webhooks/ops/deliveries/nothing/resend`)).body).toMatchObject({
      status: 404,
      code: "delivery_not_found",
    });
  });

  it("that does not answer delays nobody else", async () => {
    const quick = await receiver();
    await createHook(quick.url, { key: "quick", types: ["flag.*"] });
    await createHook("http://127.0.0.1:1/", { key: "away", types: ["flag.*"] });
    const stuck = await listening(createServer(() => undefined));
    await createHook(stuck, { key: "stuck", types: ["flag.*"] });
    await courier.close();
    courier = startCourier(sender({ allow: ["127.0.0.1"], timeoutMs: 2_000 }));
    for (let at = 0; at < 10; at++) await createFlag(`flag-${at}`);
    await expect.poll(() => quick.heard.length, { timeout: 1_900 }).toBe(10);
    const away = (await server.ask("GET", `${P}/webhooks/away/deliveries`)).body.items;
    expect(away.at(-1).attempts[0].fault).toBe("ECONNREFUSED");
    const held = async () => (await server.ask("GET", `${P}/webhooks/stuck/deliveries`)).body.items.at(-1).attempts[0]?.fault;
    await expect.poll(held, { timeout: 10_000 }).toBe("no answer within 2 s");
  });
});

describe("secrets", () => {
  it("are shown once, are in no list, audit row or repeated answer, and rotate without a gap", async () => {
    const { url, heard } = await receiver();
    const headers = { "idempotency-key": "once" };
    const first = await server.ask("POST", `${P}/webhooks`, { key: "ops", url, types: ["flag.*"] }, { headers });
    const again = await server.ask("POST", `${P}/webhooks`, { key: "ops", url, types: ["flag.*"] }, { headers });
    expect([first.status, again.status, again.body.secret]).toEqual([201, 201, undefined]);
    const rotated = await server.ask("POST", `${P}/webhooks/ops/secret`);
    expect(rotated.body.secret).not.toBe(first.body.secret);
    await createFlag("a");
    await expect.poll(() => heard.length).toBe(1);
    for (const { secret } of [first.body, rotated.body]) {
      expect(verified(secret, heard[0] as Heard)).toMatchObject({ type: "flag.create" });
    }
    server.clock.now += 24 * 3_600_000;
    await createFlag("b");
    await expect.poll(() => heard.length).toBe(2);
    expect(heard[1]?.headers["webhook-signature"]?.toString().split(" ")).toHaveLength(1);
    const pages = ["webhooks", "webhooks/ops", "webhooks/ops/deliveries", "changes", "export"];
    const texts = await Promise.all(pages.map(async (page) => (await server.ask("GET", `${P}/${page}`)).text));
    expect(texts.filter((text) => text.includes("whsec_") || text.includes(first.body.secret.slice(6)))).toEqual([]);
  });
});

describe("an address that is not public", () => {
  it("makes a dead letter at the first try, and a test says why", async () => {
    await createHook("http://10.255.255.1/", { types: ["flag.*"] });
    await createFlag("a");
    await expect
      .poll(async () => (await deliveries())[0])
      .toMatchObject({
        status: "dead",
        attempts: [{ fault: "its address is not public: add it to BELAY_WEBHOOK_ALLOW if it is yours" }],
      });
    expect((await server.ask("POST", `${P}/webhooks/ops/test`)).body).toMatchObject({ delivered: false });
  });
});

describe("definitions", () => {
  it("are edited with If-Match, paused, tested and deleted", async () => {
    const { url, heard } = await receiver();
    const { headers } = await createHook(url);
    expect((await server.ask("POST", `${P}/webhooks/ops/test`)).body).toMatchObject({ delivered: true, status: 200 });
    expect(JSON.parse(heard.at(-1)?.body ?? "")).toMatchObject({ type: "webhook.test" });
    const paused = await server.ask(
      "PATCH",
      `${P}/webhooks/ops`,
      { enabled: false },
      { headers: { "if-match": String(headers["etag"]) } },
    );
    expect(paused.body).toMatchObject({ enabled: false, url });
    const stale = await server.ask(
      "PATCH",
      `${P}/webhooks/ops`,
      { name: "x" },
      { headers: { "if-match": String(headers["etag"]) } },
    );
    expect(stale.status).toBe(412);
    expect((await server.ask("DELETE", `${P}/webhooks/ops?reason=over`)).status).toBe(204);
    expect((await server.ask("GET", `${P}/webhooks/ops`)).body).toMatchObject({ status: 404, code: "webhook_not_found" });
  });

  it.each([
    [{ url: "ftp://example.com" }, 422, "url"],
    [{ url: "example.com" }, 422, "url"],
    [{ url: "https://ann:pw@example.com" }, 422, "url"],
    [{ url: "https://example.com", environments: ["nowhere"] }, 404, "environments"],
    [{ url: "https://example.com", types: ["Flag Edit"] }, 422, "types[0]"],
    [{ url: "https://example.com", secret: "mine" }, 422, "secret"],
  ])("%j is refused", async (body, status, field) => {
    const refused = await server.ask("POST", `${P}/webhooks`, { key: "ops", ...body });
    expect([refused.status, refused.body.field]).toEqual([status, field]);
    expect((await server.ask("GET", `${P}/webhooks`)).body.items).toEqual([]);
  });
});

/** What the specification's own library reads, by the server's clock: it refuses stamps away from its own. */
function verified(secret: string, { body, headers }: Heard): unknown {
  const clock = vi.spyOn(Date, "now").mockReturnValue(server.clock.now);
  try {
    return new Verifier(secret).verify(body, headers as Record<string, string>);
  } finally {
    clock.mockRestore();
  }
}
