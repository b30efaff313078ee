import { createServer } from "node:http";
import { OAuth2Server } from "oauth2-mock-server";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { P, type TestServer, testServer } from "../app.fixture.ts";
import { readConfig } from "../config.ts";
import { oidcProvider } from "./provider.ts";

const PUBLIC = "https://flags.example";
const CALLBACK = "/signin/oidc/callback";

let provider: OAuth2Server;
/** What the next ID token says besides, or instead. */
let claims: Record<string, unknown>;
let tamper: (idToken: string) => string;

beforeAll(async () => {
  provider = new OAuth2Server();
  await provider.issuer.keys.generate("RS256");
  await provider.start(0, "127.0.0.1");
  provider.service.on("beforeTokenSigning", (token: { payload: object }) => {
    Object.assign(token.payload, claims);
  });
  provider.service.on("beforeResponse", ({ body }: { body: { id_token?: string } }) => {
    if (body.id_token !== undefined) body.id_token = tamper(body.id_token);
  });
});
afterAll(() => provider.stop());

let server: TestServer;
let lines: string[];
beforeEach(async () => {
  claims = { sub: "ann-1", email: "Ann@shop.example", email_verified: true, groups: ["ops", "everybody"] };
  tamper = (token) => token;
  server = await start();
});
afterEach(() => server.close());

async function start(environment: Readonly<Record<string, string>> = {}): Promise<TestServer> {
  const { oidc, publicUrl } = readConfig({
    BELAY_PUBLIC_URL: PUBLIC,
    BELAY_OIDC_ISSUER: provider.issuer.url,
    BELAY_OIDC_CLIENT_ID: "belay",
    BELAY_OIDC_CLIENT_SECRET: "the-client-secret",
    BELAY_OIDC_ROLES: "admins=admin,ops=operator@default/production,shop=editor@default",
    BELAY_OIDC_DOMAIN: "shop.example",
    ...environment,
  });
  if (oidc === undefined || publicUrl === undefined) throw new Error("OIDC was not read from the settings");
  lines = [];
  const logger = { level: "trace", stream: { write: (line: string) => void lines.push(line) } };
  return testServer({ oidc: oidcProvider(oidc), publicUrl, logger });
}

interface Reply {
  readonly status: number;
  readonly location: string;
  readonly code: string | undefined;
  readonly cookies: readonly string[];
  readonly detail: string;
}

async function get(url: string, cookie?: string): Promise<Reply> {
  const answer = await server.app.inject({ url, headers: cookie === undefined ? {} : { cookie } });
  const body = answer.statusCode < 400 || answer.body === "" ? {} : answer.json();
  return {
    status: answer.statusCode,
    location: String(answer.headers.location ?? ""),
    code: body.code,
    detail: body.detail ?? "",
    cookies: [answer.headers["set-cookie"] ?? []].flat(),
  };
}

/** Leaves for the provider and is sent back by it: the path to call, and what the browser holds. */
async function travel(change: (url: URL) => void = () => undefined): Promise<{ path: string; cookie: string; away: URL }> {
  const left = await get("/signin/oidc");
  const away = new URL(left.location);
  change(away);
  const back = new URL((await fetch(away, { redirect: "manual" })).headers.get("location") ?? "");
  return { path: `${back.pathname}${back.search}`, cookie: left.cookies[0]?.split(";")[0] ?? "", away };
}

async function signIn(): Promise<Reply> {
  const { path, cookie } = await travel();
  return get(path, cookie);
}

const sessionOf = ({ cookies }: Reply): string =>
  cookies.find((cookie) => cookie.startsWith("__Host-belay="))?.split(";")[0] ?? "";

const whoIs = async (reply: Reply): Promise<unknown> =>
  (await server.app.inject({ url: "/api/v1/session", headers: { cookie: sessionOf(reply) } })).json();

describe("signing in with a company account", () => {
  it("goes to the provider with PKCE, state and nonce, and comes back as the person with their role", async () => {
    const { path, cookie, away } = await travel();
    expect(Object.fromEntries(away.searchParams)).toEqual({
      client_id: "belay",
      redirect_uri: `${PUBLIC}${CALLBACK}`,
      response_type: "code",
      scope: "openid email profile",
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: "S256",
      state: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
    });
    const back = await get(path, cookie);
    expect([back.status, back.location]).toEqual([302, "/"]);
    expect(back.cookies).toEqual([
      expect.stringMatching(/^__Host-belay-oidc=; .*Expires=Thu, 01 Jan 1970/),
      expect.stringMatching(/^__Host-belay=.*; Path=\/; HttpOnly; Secure; SameSite=Strict$/),
    ]);
    expect(await whoIs(back)).toMatchObject({
      actor: { id: expect.stringMatching(/^person-[0-9a-f]{32}$/), name: "ann@shop.example" },
      roles: ["viewer", "analyst", "operator"],
      projects: ["default"],
      environments: ["production"],
    });
  });

  it("finds the same person again, takes over what the provider says now, and keeps no secret of theirs", async () => {
    const first = (await whoIs(await signIn())) as { actor: { id: string } };
    claims = { ...claims, groups: "admins", email: "ann.b@shop.example" };
    const second = await signIn();
    expect(await whoIs(second)).toMatchObject({ actor: { id: first.actor.id, name: "ann.b@shop.example" } });
    const { revision } = server.control.workspace;
    await signIn();
    // The session only: nothing about the person had changed.
    expect(server.control.workspace.revision).toBe(revision + 1);
    const people = (await server.ask("GET", "/api/v1/tokens")).body.items.filter(({ issuer }: { issuer?: string }) => issuer);
    expect(people).toEqual([
      {
        id: first.actor.id,
        issuer: provider.issuer.url,
        name: "ann.b@shop.example",
        role: "admin",
        createdAt: expect.any(String),
        lastUsedAt: "2026-11-22T12:00:00.000Z",
        revoked: false,
      },
    ]);
    expect((await server.ask("GET", `${P}/flags`, undefined, { as: first.actor.id })).status).toBe(401);
    expect((await server.ask("GET", "/signin")).body).toEqual({ token: "/api/v1/session", oidc: "/signin/oidc" });
  });

  it("is not on without its settings", async () => {
    await server.close();
    server = await testServer();
    expect((await server.ask("GET", "/signin")).body).toEqual({ token: "/api/v1/session" });
    expect((await get("/signin/oidc")).code).toBe("route_not_found");
  });

  it("lets an admin revoke a person for good, and their session with it", async () => {
    const reply = await signIn();
    const { actor } = (await whoIs(reply)) as { actor: { id: string } };
    await server.ask("DELETE", `/api/v1/tokens/${actor.id}`);
    expect(await whoIs(reply)).toMatchObject({ code: "unauthenticated" });
    expect(await signIn()).toMatchObject({ status: 403, code: "sign_in_refused", detail: expect.stringMatching(/revoked/) });
  });

  it("leaves no code, state, token or secret in the log", async () => {
    const { path, cookie } = await travel();
    await get(path, cookie);
    await get(path, cookie);
    const said = lines.join("\n");
    const held = [
      ...new URL(path, PUBLIC).searchParams.values(),
      ...(cookie.split("=")[1] ?? "").split("."),
      "the-client-secret",
    ];
    expect(held.length).toBeGreaterThanOrEqual(6);
    expect(lines.length).toBeGreaterThan(5);
    expect(held.filter((secret) => said.includes(secret))).toEqual([]);
    expect(said).not.toMatch(/eyJ/);
  });
});

const encoded = (part: object): string => Buffer.from(JSON.stringify(part)).toString("base64url");
const FORGED = (): object => ({ ...claims, iss: provider.issuer.url, aud: "belay", exp: 2 ** 40, groups: ["admins"] });

describe("who comes back is refused", () => {
  const refused = (detail: RegExp): object => ({
    status: 403,
    code: "sign_in_refused",
    detail: expect.stringMatching(detail),
    cookies: [expect.stringMatching(/^__Host-belay-oidc=;/)],
  });

  afterEach(() => expect(server.control.workspace.sessions.size).toBe(0));

  it.each([
    ["another issuer", { iss: "https://evil.example" }],
    ["another audience", { aud: "another-client" }],
    ["several audiences and no authorized party", { aud: ["belay", "another-client"] }],
    ["an expired token", { exp: Math.floor(Date.now() / 1_000) - 120 }],
    ["a token of another sign-in", { nonce: "another" }],
    ["a token without a nonce", { nonce: undefined }],
    ["a token without a subject", { sub: undefined }],
  ])("with %s", async (_, wrong) => {
    claims = { ...claims, ...wrong };
    expect(await signIn()).toMatchObject(refused(/did not pass the checks/));
  });

  it.each([
    ["an unsigned token", ([, payload]: string[]) => [encoded({ alg: "none" }), payload, ""]],
    ["a token by an algorithm that was not agreed", ([, ...rest]: string[]) => [encoded({ alg: "HS256" }), ...rest]],
    ["a token by a key that is not the provider's", ([, ...rest]: string[]) => [encoded({ alg: "RS256", kid: "x" }), ...rest]],
    ["a token changed after it was signed", ([head, , signature]: string[]) => [head, encoded(FORGED()), signature]],
  ] as const)("with %s", async (_, change) => {
    tamper = (token) => change(token.split(".")).join(".");
    expect(await signIn()).toMatchObject(refused(/did not pass the checks/));
  });

  it("with another state, or none", async () => {
    for (const change of [(url: URL) => url.searchParams.set("state", "x"), (url: URL) => url.searchParams.delete("state")]) {
      const { path, cookie } = await travel(change);
      expect(await get(path, cookie)).toMatchObject(refused(/did not pass the checks/));
    }
  });

  it("in a browser that did not leave from here, or with what another one left with", async () => {
    const [one, other] = [await travel(), await travel()];
    expect(await get(one.path)).toMatchObject(refused(/did not begin in this browser/));
    expect(await get(one.path, "__Host-belay-oidc=a.b")).toMatchObject(refused(/did not begin in this browser/));
    expect(await get(one.path, other.cookie)).toMatchObject(refused(/did not pass the checks/));
  });

  it("when the provider says no", async () => {
    const { path, cookie } = await travel();
    const state = new URL(path, PUBLIC).searchParams.get("state");
    expect(await get(`${CALLBACK}?error=access_denied&state=${state}`, cookie)).toMatchObject(refused(/did not pass the checks/));
  });

  it.each([
    ["an address that nobody verified", { email_verified: false }],
    ["an address verified in words only", { email_verified: "true" }],
    ["an address of another domain", { email: "ann@evil.example" }],
    ["an address of a domain that only looks alike", { email: "ann@shop.example.evil.example" }],
    ["an address of a domain below", { email: "ann@mail.shop.example" }],
    ["no address", { email: undefined }],
  ])("with %s", async (_, other) => {
    claims = { ...claims, ...other };
    expect(await signIn()).toMatchObject(refused(/verified addresses of shop\.example/));
  });

  it.each([
    ["none of the groups", { groups: ["guests"] }],
    ["no groups", { groups: undefined }],
    ["groups that are no texts", { groups: { admins: true } }],
    ["a group that only begins like one", { groups: ["admins2", "Admins"] }],
  ])("with %s", async (_, other) => {
    claims = { ...claims, ...other };
    expect(await signIn()).toMatchObject(refused(/no role is granted/));
  });
});

it("a code is taken once: sent again with all that belongs to it, it opens nothing", async () => {
  const { path, cookie } = await travel();
  expect((await get(path, cookie)).status).toBe(302);
  const again = await get(path, cookie);
  expect([again.status >= 403, sessionOf(again)]).toEqual([true, ""]);
  expect(server.control.workspace.sessions.size).toBe(1);
});

it("a code is worth nothing without the verifier it was asked for with", async () => {
  const { path, cookie } = await travel();
  const [name, text = ""] = cookie.split("=");
  const stolen = `${name}=${text.slice(0, text.lastIndexOf("."))}.${"a".repeat(43)}`;
  const reply = await get(path, stolen);
  expect([reply.status >= 403, sessionOf(reply)]).toEqual([true, ""]);
});

it("a provider that is away is 503, and found without a restart once it is back", async () => {
  await server.close();
  let isBack = false;
  const known = `${provider.issuer.url}/.well-known/openid-configuration`;
  const metadata = (await (await fetch(known)).json()) as object;
  const front = createServer((_, response) => {
    if (!isBack) return void response.destroy();
    return void response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ ...metadata, issuer: url }));
  });
  await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(front.address() as { port: number }).port}`;
  server = await start({ BELAY_OIDC_ISSUER: url });
  expect(await get("/signin/oidc")).toMatchObject({ status: 503, code: "store_unavailable", cookies: [] });
  isBack = true;
  expect(await get("/signin/oidc")).toMatchObject({ status: 302 });
  await new Promise((resolve) => front.close(resolve));
});

describe("its settings", () => {
  const GOOD = {
    BELAY_PUBLIC_URL: PUBLIC,
    BELAY_OIDC_ISSUER: "https://id.shop.example",
    BELAY_OIDC_CLIENT_ID: "belay",
    BELAY_OIDC_ROLES: "cn=admins=admin, *=viewer@shop",
    BELAY_OIDC_DOMAIN: "Shop.example",
  };

  it("are read with what was left out", () => {
    expect(readConfig(GOOD).oidc).toEqual({
      issuer: "https://id.shop.example",
      clientId: "belay",
      roleClaim: "groups",
      grants: [
        { value: "cn=admins", role: "admin" },
        { value: "*", role: "viewer", project: "shop" },
      ],
      domain: "shop.example",
      publicUrl: PUBLIC,
    });
  });

  it.each([
    [{ BELAY_OIDC_ISSUER: "http://id.shop.example" }, "BELAY_OIDC_ISSUER must be https"],
    [{ BELAY_OIDC_ISSUER: "shop" }, "BELAY_OIDC_ISSUER must be https"],
    [{ BELAY_PUBLIC_URL: "" }, "BELAY_OIDC_ISSUER needs BELAY_PUBLIC_URL"],
    [{ BELAY_PUBLIC_URL: `${PUBLIC}/belay` }, "BELAY_PUBLIC_URL must be an address without a path"],
    [{ BELAY_OIDC_CLIENT_ID: "" }, "BELAY_OIDC_ISSUER needs BELAY_OIDC_CLIENT_ID"],
    [{ BELAY_OIDC_ROLES: "" }, "BELAY_OIDC_ROLES must hold"],
    [{ BELAY_OIDC_ROLES: "a=admin,b=root" }, 'not "b=root"'],
  ])("%o are refused", (wrong, message) => {
    expect(() => readConfig({ ...GOOD, ...wrong })).toThrow(message);
  });
});
