import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Answer, E, P, type TestServer, testServer } from "../app.fixture.ts";
import { readCookie, sealCookie } from "./cookie.ts";
import { SESSION_IDLE_MS, SESSION_LIFE_MS, SESSION_RESEAL_MS, SESSIONS_PER_TOKEN_MAX } from "./domain.ts";

const PATH = "/api/v1/session";
/** What the server's own page sends with a write. */
const OWN = { host: "belay.example", origin: "http://belay.example", "sec-fetch-site": "same-origin", "x-belay-page": "1" };

let server: TestServer;
beforeEach(async () => {
  server = await testServer();
  await server.ask("POST", `${P}/flags`, { key: "a" });
});
afterEach(() => server.close());

/** Asks as a page does: with a cookie and no token. */
const asPage = async (
  method: string,
  path: string,
  cookie: string,
  body?: unknown,
  headers: object = OWN,
): Promise<Pick<Answer, "status" | "body" | "headers">> => {
  const answer = await server.app.inject({
    method: method as "GET",
    url: path,
    headers: { ...headers, cookie, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, headers: answer.headers, body: answer.body === "" ? undefined : answer.json() };
};

const cookieIn = (answer: Pick<Answer, "headers">): string => String(answer.headers["set-cookie"] ?? "").split(";")[0] ?? "";
const signIn = async (as = server.adminToken, headers: Readonly<Record<string, string>> = {}): Promise<string> =>
  cookieIn(await server.ask("POST", PATH, undefined, { as, headers }));
const makeToken = async (token: object): Promise<{ id: string; secret: string }> =>
  (await server.ask("POST", "/api/v1/tokens", { name: "ops", role: "operator", ...token })).body;
const sessions = (): number => server.control.workspace.sessions.size;

describe("a session", () => {
  it("is begun with a token, kept in a cookie no script reads, and does what the token may", async () => {
    const { id, secret } = await makeToken({ projects: ["default"] });
    const signedIn = await server.ask("POST", PATH, undefined, { as: secret });
    const endsAt = new Date(server.clock.now + SESSION_LIFE_MS).toISOString();
    const who = { actor: { id, name: "ops" }, roles: ["viewer", "analyst", "operator"], projects: ["default"] };
    expect([signedIn.status, signedIn.body]).toEqual([201, { ...who, endsAt }]);
    expect(signedIn.headers["set-cookie"]).toMatch(
      /^belay=[a-z2-7]{12}\.[a-z2-7]{32}\.[0-9a-z]+\.[\w-]{43}; Max-Age=43200; Path=\/; HttpOnly; SameSite=Strict$/,
    );
    const cookie = cookieIn(signedIn);
    expect((await asPage("GET", PATH, cookie)).body).toEqual({ ...who, endsAt });
    expect((await server.ask("GET", PATH, undefined, { as: secret })).body).toEqual(who);
    expect((await asPage("PUT", `${E}/flags/a/rollout`, cookie, { percentage: 5, reason: "page" })).status).toBe(200);
    expect((await asPage("POST", "/api/v1/tokens", cookie, { name: "x", role: "admin" })).body).toMatchObject({
      code: "forbidden",
    });
    const [change] = (await server.ask("GET", `${P}/changes?limit=1`)).body.items;
    expect(change).toMatchObject({ actor: { id, name: "ops" }, reason: "page" });
  });

  it("behind https has a name that no other host can set, and is taken by no other", async () => {
    const https = { "x-forwarded-proto": "https" };
    const cookie = await signIn(server.adminToken, https);
    expect(cookie).toMatch(/^__Host-belay=/);
    const { headers } = await server.ask("POST", PATH, undefined, { headers: https });
    expect(headers["set-cookie"]).toMatch(/; Path=\/; HttpOnly; Secure; SameSite=Strict$/);
    const own = { ...OWN, ...https, origin: "https://belay.example" };
    expect((await asPage("GET", PATH, cookie, undefined, own)).status).toBe(200);
    expect((await asPage("GET", PATH, cookie.replace("__Host-", ""), undefined, own)).status).toBe(401);
  });

  it("opens no door of SDKs", async () => {
    const cookie = await signIn();
    for (const [method, path] of [
      ["GET", "/sdk/v1/snapshot"],
      ["POST", "/sdk/v1/receipt"],
      ["POST", "/ofrep/v1/evaluate/flags"],
    ] as const) {
      const { status, body } = await asPage(method, path, cookie, method === "GET" ? undefined : {});
      expect([path, status, body.code]).toEqual([path, 401, "unauthenticated"]);
    }
  });

  it("gives way to a token that is sent besides, good or not", async () => {
    const cookie = await signIn();
    const { secret } = await makeToken({ role: "viewer" });
    expect((await server.ask("GET", PATH, undefined, { as: secret, headers: { cookie } })).body.roles).toEqual(["viewer"]);
    expect((await server.ask("GET", PATH, undefined, { as: "garbage", headers: { cookie } })).status).toBe(401);
  });
});

describe("a page of others", () => {
  const FOREIGN: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
    ["another site", { ...OWN, origin: "https://evil.example", "sec-fetch-site": "cross-site" }],
    ["another host of the same site", { ...OWN, origin: "http://shop.belay.example", "sec-fetch-site": "same-site" }],
    ["another port", { ...OWN, origin: "http://belay.example:8080" }],
    ["a sandboxed frame", { ...OWN, origin: "null" }],
    ["a browser that tells the site only", { host: OWN.host, "sec-fetch-site": "cross-site", "x-belay-page": "1" }],
    ["a browser that tells the origin only", { host: OWN.host, origin: "https://evil.example", "x-belay-page": "1" }],
  ];

  it.each(FOREIGN)("%s neither reads nor writes", async (_, headers) => {
    const cookie = await signIn();
    const { revision } = server.control.workspace;
    for (const method of ["GET", "POST", "DELETE"]) {
      const { status, body } = await asPage(method, PATH, cookie, undefined, headers);
      expect([method, status, body.code]).toEqual([method, 403, "cross_site"]);
    }
    expect((await asPage("PUT", `${E}/flags/a/rollout`, cookie, { percentage: 5 }, headers)).body.code).toBe("cross_site");
    expect(server.control.workspace.revision).toBe(revision);
  });

  it.each([
    ["without the header", { host: OWN.host, origin: OWN.origin, "sec-fetch-site": "same-origin" }],
    ["without saying where it comes from", { host: OWN.host, "x-belay-page": "1" }],
    ["opened by hand", { host: OWN.host, "sec-fetch-site": "none", "x-belay-page": "1" }],
    ["with the cookie alone", { host: OWN.host }],
  ])("a write %s is refused, a read is not", async (_, headers) => {
    const cookie = await signIn();
    expect((await asPage("PUT", `${E}/flags/a/rollout`, cookie, { percentage: 5 }, headers)).body.code).toBe("cross_site");
    expect((await server.ask("GET", `${E}/flags/a/rollout`)).body.percentage).toBe(0);
    expect((await asPage("GET", PATH, cookie, undefined, headers)).status).toBe(200);
  });

  it("learns nothing of whether a browser is signed in", async () => {
    const [, headers] = FOREIGN[0] as (typeof FOREIGN)[number];
    const preflight = { ...headers, "access-control-request-method": "PUT", "access-control-request-headers": "x-belay-page" };
    const answer = await asPage("OPTIONS", PATH, await signIn(), undefined, preflight);
    expect([answer.status, answer.headers["access-control-allow-origin"]]).toEqual([405, undefined]);
  });

  it("is known by the public address where a proxy changes the host", async () => {
    await server.close();
    server = await testServer({ publicUrl: "https://flags.example" });
    const cookie = await signIn();
    const behind = { ...OWN, host: "10.0.0.7:4400" };
    expect(cookie).toMatch(/^__Host-belay=/);
    expect((await asPage("DELETE", PATH, cookie, undefined, { ...behind, origin: "http://10.0.0.7:4400" })).status).toBe(403);
    expect((await asPage("DELETE", PATH, cookie, undefined, { ...behind, origin: "https://flags.example" })).status).toBe(204);
  });
});

describe("a session ends", () => {
  it("by signing out, on every server and for whoever kept the cookie", async () => {
    const [cookie, other] = [await signIn(), await signIn()];
    const out = await asPage("DELETE", PATH, cookie);
    expect([out.status, out.headers["set-cookie"]]).toEqual([204, expect.stringMatching(/^belay=; .*Expires=Thu, 01 Jan 1970/)]);
    expect((await asPage("GET", PATH, cookie)).status).toBe(401);
    expect((await asPage("GET", PATH, other)).status).toBe(200);
    expect(sessions()).toBe(1);
  });

  it("with its token, revoked or expired", async () => {
    const revoked = await makeToken({});
    const expiring = await makeToken({ expiresAt: new Date(server.clock.now + 60_000).toISOString() });
    const cookies = [await signIn(revoked.secret), await signIn(expiring.secret)];
    const statuses = async (): Promise<number[]> =>
      Promise.all(cookies.map(async (cookie) => (await asPage("GET", PATH, cookie)).status));
    expect(await statuses()).toEqual([200, 200]);
    await server.ask("DELETE", `/api/v1/tokens/${revoked.id}`);
    expect(await statuses()).toEqual([401, 200]);
    server.clock.now += 60_000;
    expect(await statuses()).toEqual([401, 401]);
  });

  it("when nobody used it for twelve hours; while it is used its cookie is made anew", async () => {
    const first = await signIn();
    server.clock.now += SESSION_RESEAL_MS - 1;
    expect((await asPage("GET", PATH, first)).headers["set-cookie"]).toBeUndefined();
    server.clock.now = server.clock.now + 1 + SESSION_IDLE_MS / 2;
    const used = cookieIn(await asPage("GET", PATH, first));
    server.clock.now += SESSION_IDLE_MS / 2;
    expect((await asPage("GET", PATH, first)).status).toBe(401);
    expect((await asPage("GET", PATH, used)).status).toBe(200);
    server.clock.now += SESSION_IDLE_MS / 2;
    expect((await asPage("GET", PATH, used)).status).toBe(401);
  });

  it("after seven days however much it is used, and is forgotten then", async () => {
    let cookie = await signIn();
    let hours = 0;
    for (; hours < 14 * 24; hours += 1) {
      const answer = await asPage("GET", PATH, cookie);
      if (answer.status !== 200) break;
      cookie = cookieIn(answer) || cookie;
      server.clock.now += 3_600_000;
    }
    expect(hours).toBe(7 * 24);
    await signIn();
    expect(sessions()).toBe(1);
  });

  it("as the oldest of twenty when its token signs in once more", async () => {
    const oldest = await signIn();
    const { secret } = await makeToken({});
    const another = await signIn(secret);
    for (let count = 1; count < SESSIONS_PER_TOKEN_MAX; count += 1) {
      server.clock.now += 1;
      await signIn();
    }
    expect((await asPage("GET", PATH, oldest)).status).toBe(200);
    server.clock.now += 1;
    await signIn();
    expect((await asPage("GET", PATH, oldest)).status).toBe(401);
    expect((await asPage("GET", PATH, another)).status).toBe(200);
    expect(sessions()).toBe(SESSIONS_PER_TOKEN_MAX + 1);
  });
});

describe("a cookie", () => {
  it("that was there before signing in is never the one after, and no longer works", async () => {
    const before = await signIn();
    const after = await signIn(server.adminToken, { cookie: before });
    expect(readCookie(after.split("=")[1] as string)?.id).not.toBe(readCookie(before.split("=")[1] as string)?.id);
    expect((await asPage("GET", PATH, before)).status).toBe(401);
    const planted = await signIn(server.adminToken, { cookie: `belay=${sealCookie({ ...MADE_UP, seenAtMs: 1 }, "x")}` });
    expect(planted).not.toContain(MADE_UP.id);
  });

  it("does not beget another session", async () => {
    const cookie = await signIn();
    expect((await asPage("POST", PATH, cookie)).status).toBe(401);
    expect(sessions()).toBe(1);
  });

  it("is refused when anything of it was changed", async () => {
    const cookie = await signIn();
    const text = cookie.slice("belay=".length);
    const held = readCookie(text);
    if (held === undefined) throw new Error("the server's own cookie could not be read");
    const fresh = sealCookie({ ...held, seenAtMs: held.seenAtMs + 1 }, "a seal of ours");
    const document = server.control.workspace.sessions.get(held.id)?.body;
    const fromStore = sealCookie({ ...held, secret: MADE_UP.secret }, document?.seal ?? "");
    const changed = [...text].map((letter, at) => `${text.slice(0, at)}${letter === "a" ? "b" : "a"}${text.slice(at + 1)}`);
    const forged = ["", "x", fresh, fromStore, text.slice(0, -1), `${text}a`, ...changed];
    const passed: string[] = [];
    for (const attempt of forged) if ((await asPage("GET", PATH, `belay=${attempt}`)).status !== 401) passed.push(attempt);
    expect(passed).toEqual([]);
    expect(JSON.stringify(document)).not.toContain(held.secret);
    expect((await asPage("GET", PATH, cookie)).status).toBe(200);
  });

  const MADE_UP = { id: "a".repeat(12), secret: "b".repeat(32) };
});
