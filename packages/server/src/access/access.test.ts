import type { Role } from "@belay/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Answer, type Ask, E, P, type TestServer } from "../app.fixture.ts";
import { everyDoor } from "../every-door.fixture.ts";
import { ROLES } from "./identity.ts";
import { hashSecret, newSecret, readSecret, secretFits } from "./secrets.ts";

/** Every route and who may call it. A new route that is not written down here fails the test. */
const TABLE = `
DELETE /api/v1/projects/{project}/code-places/{repository} editor
DELETE /api/v1/projects/{project}/environments/{environment}/releases/{release}/triggers/{trigger} operator
DELETE /api/v1/projects/{project}/keys/{key} admin
DELETE /api/v1/projects/{project}/release-templates/{template} editor
DELETE /api/v1/projects/{project}/segments/{segment} editor
DELETE /api/v1/projects/{project}/units/{unit} admin
DELETE /api/v1/projects/{project}/webhooks/{webhook} admin
DELETE /api/v1/session viewer
DELETE /api/v1/tokens/{token} admin
GET /api/v1/backup admin
GET /api/v1/projects viewer
GET /api/v1/projects/{project} viewer
GET /api/v1/projects/{project}/changes viewer
GET /api/v1/projects/{project}/changes/{change} viewer
GET /api/v1/projects/{project}/code-places viewer
GET /api/v1/projects/{project}/cumulative-effect viewer
GET /api/v1/projects/{project}/environments viewer
GET /api/v1/projects/{project}/environments/{environment} viewer
GET /api/v1/projects/{project}/environments/{environment}/diff viewer
GET /api/v1/projects/{project}/environments/{environment}/flags viewer
GET /api/v1/projects/{project}/environments/{environment}/flags/{flag} viewer
GET /api/v1/projects/{project}/environments/{environment}/flags/{flag}/promotion viewer
GET /api/v1/projects/{project}/environments/{environment}/flags/{flag}/rollout viewer
GET /api/v1/projects/{project}/environments/{environment}/kept-out analyst
GET /api/v1/projects/{project}/environments/{environment}/ledger analyst
GET /api/v1/projects/{project}/environments/{environment}/ledger/instances analyst
GET /api/v1/projects/{project}/environments/{environment}/releases viewer
GET /api/v1/projects/{project}/environments/{environment}/releases/{release} viewer
GET /api/v1/projects/{project}/environments/{environment}/releases/{release}/guardrails viewer
GET /api/v1/projects/{project}/environments/{environment}/releases/{release}/holdout analyst
GET /api/v1/projects/{project}/environments/{environment}/releases/{release}/interference analyst
GET /api/v1/projects/{project}/environments/{environment}/releases/{release}/log viewer
GET /api/v1/projects/{project}/environments/{environment}/releases/{release}/log/signature viewer
GET /api/v1/projects/{project}/environments/{environment}/releases/{release}/plan viewer
GET /api/v1/projects/{project}/environments/{environment}/releases/{release}/runbook viewer
GET /api/v1/projects/{project}/environments/{environment}/releases/{release}/triggers viewer
GET /api/v1/projects/{project}/environments/{environment}/requests viewer
GET /api/v1/projects/{project}/environments/{environment}/requests/{request} viewer
GET /api/v1/projects/{project}/environments/{environment}/state viewer
GET /api/v1/projects/{project}/events/tail analyst
GET /api/v1/projects/{project}/experiments viewer
GET /api/v1/projects/{project}/experiments/{experiment} viewer
GET /api/v1/projects/{project}/experiments/{experiment}/looks viewer
GET /api/v1/projects/{project}/experiments/{experiment}/results viewer
GET /api/v1/projects/{project}/export viewer
GET /api/v1/projects/{project}/exports/{day} analyst
GET /api/v1/projects/{project}/exposures analyst
GET /api/v1/projects/{project}/exposures/estimate analyst
GET /api/v1/projects/{project}/flags viewer
GET /api/v1/projects/{project}/flags/{flag} viewer
GET /api/v1/projects/{project}/freeze viewer
GET /api/v1/projects/{project}/holdouts viewer
GET /api/v1/projects/{project}/holdouts/{holdout}/results viewer
GET /api/v1/projects/{project}/imports analyst
GET /api/v1/projects/{project}/imports/{import} analyst
GET /api/v1/projects/{project}/imports/{import}/rejected analyst
GET /api/v1/projects/{project}/incidents viewer
GET /api/v1/projects/{project}/instances viewer
GET /api/v1/projects/{project}/interactions analyst
GET /api/v1/projects/{project}/keys viewer
GET /api/v1/projects/{project}/layers viewer
GET /api/v1/projects/{project}/learning viewer
GET /api/v1/projects/{project}/metric-events analyst
GET /api/v1/projects/{project}/metric-events/estimate analyst
GET /api/v1/projects/{project}/metrics viewer
GET /api/v1/projects/{project}/metrics/{metric} viewer
GET /api/v1/projects/{project}/metrics/{metric}/uses viewer
GET /api/v1/projects/{project}/release-templates viewer
GET /api/v1/projects/{project}/release-templates/{template} viewer
GET /api/v1/projects/{project}/retention viewer
GET /api/v1/projects/{project}/segments viewer
GET /api/v1/projects/{project}/segments/{segment} viewer
GET /api/v1/projects/{project}/signing-keys viewer
GET /api/v1/projects/{project}/signing-keys/{key} viewer
GET /api/v1/projects/{project}/stale-rule viewer
GET /api/v1/projects/{project}/suspects viewer
GET /api/v1/projects/{project}/uncovered viewer
GET /api/v1/projects/{project}/webhooks viewer
GET /api/v1/projects/{project}/webhooks/{webhook} viewer
GET /api/v1/projects/{project}/webhooks/{webhook}/deliveries viewer
GET /api/v1/session viewer
GET /api/v1/tokens admin
GET /health/live -
GET /health/ready -
GET /metrics viewer
GET /ofrep/v1/stream sdk
GET /relay/v1/state relay
GET /relay/v1/stream relay
GET /sdk/v1/snapshot sdk
GET /sdk/v1/stream sdk
GET /signin -
GET /signin/oidc -
GET /signin/oidc/callback -
PATCH /api/v1/projects/{project}/environments/{environment}/releases/{release} editor
PATCH /api/v1/projects/{project}/experiments/{experiment} editor
PATCH /api/v1/projects/{project}/flags/{flag} editor
PATCH /api/v1/projects/{project}/metrics/{metric} editor
PATCH /api/v1/projects/{project}/webhooks/{webhook} admin
POST /api/v1/projects admin
POST /api/v1/projects/{project}/environments admin
POST /api/v1/projects/{project}/environments/{environment}/explain viewer
POST /api/v1/projects/{project}/environments/{environment}/flags/bulk operator
POST /api/v1/projects/{project}/environments/{environment}/flags/{flag}/emergency operator
POST /api/v1/projects/{project}/environments/{environment}/flags/{flag}/preview viewer
POST /api/v1/projects/{project}/environments/{environment}/flags/{flag}/promotion editor
POST /api/v1/projects/{project}/environments/{environment}/releases editor
POST /api/v1/projects/{project}/environments/{environment}/releases/{release}/abort operator
POST /api/v1/projects/{project}/environments/{environment}/releases/{release}/advance operator
POST /api/v1/projects/{project}/environments/{environment}/releases/{release}/approvals operator
POST /api/v1/projects/{project}/environments/{environment}/releases/{release}/drill operator
POST /api/v1/projects/{project}/environments/{environment}/releases/{release}/evidence operator
POST /api/v1/projects/{project}/environments/{environment}/releases/{release}/hold operator
POST /api/v1/projects/{project}/environments/{environment}/releases/{release}/lessons operator
POST /api/v1/projects/{project}/environments/{environment}/releases/{release}/ready editor
POST /api/v1/projects/{project}/environments/{environment}/releases/{release}/resume operator
POST /api/v1/projects/{project}/environments/{environment}/releases/{release}/rollback operator
POST /api/v1/projects/{project}/environments/{environment}/releases/{release}/start operator
POST /api/v1/projects/{project}/environments/{environment}/releases/{release}/triggers operator
POST /api/v1/projects/{project}/environments/{environment}/releases/{release}/trip operator
POST /api/v1/projects/{project}/environments/{environment}/requests operator
POST /api/v1/projects/{project}/environments/{environment}/requests/{request}/approve operator
POST /api/v1/projects/{project}/environments/{environment}/requests/{request}/reject operator
POST /api/v1/projects/{project}/environments/{environment}/requests/{request}/withdraw operator
POST /api/v1/projects/{project}/environments/{environment}/restore editor
POST /api/v1/projects/{project}/erasures admin
POST /api/v1/projects/{project}/experiments editor
POST /api/v1/projects/{project}/experiments/{experiment}/decide editor
POST /api/v1/projects/{project}/experiments/{experiment}/forecast analyst
POST /api/v1/projects/{project}/experiments/{experiment}/start editor
POST /api/v1/projects/{project}/experiments/{experiment}/stop editor
POST /api/v1/projects/{project}/flags editor
POST /api/v1/projects/{project}/flags/bulk editor
POST /api/v1/projects/{project}/flags/{flag}/archive editor
POST /api/v1/projects/{project}/flags/{flag}/reshuffle editor
POST /api/v1/projects/{project}/flags/{flag}/restore editor
POST /api/v1/projects/{project}/freeze operator
POST /api/v1/projects/{project}/freeze/leave operator
POST /api/v1/projects/{project}/holdouts editor
POST /api/v1/projects/{project}/holdouts/{holdout}/end editor
POST /api/v1/projects/{project}/import editor
POST /api/v1/projects/{project}/import/plan editor
POST /api/v1/projects/{project}/imports editor
POST /api/v1/projects/{project}/imports/{import}/cancel editor
POST /api/v1/projects/{project}/incidents operator
POST /api/v1/projects/{project}/incidents/{incident}/end operator
POST /api/v1/projects/{project}/keys admin
POST /api/v1/projects/{project}/keys/{key}/rotate admin
POST /api/v1/projects/{project}/layers editor
POST /api/v1/projects/{project}/metrics editor
POST /api/v1/projects/{project}/metrics/preview analyst
POST /api/v1/projects/{project}/metrics/{metric}/archive editor
POST /api/v1/projects/{project}/metrics/{metric}/restore editor
POST /api/v1/projects/{project}/rollback-since operator
POST /api/v1/projects/{project}/segments editor
POST /api/v1/projects/{project}/signing-keys admin
POST /api/v1/projects/{project}/webhooks admin
POST /api/v1/projects/{project}/webhooks/{webhook}/deliveries/{delivery}/resend operator
POST /api/v1/projects/{project}/webhooks/{webhook}/secret admin
POST /api/v1/projects/{project}/webhooks/{webhook}/test operator
POST /api/v1/session viewer
POST /api/v1/tokens admin
POST /api/v1/tokens/{token}/rotate admin
POST /ofrep/v1/evaluate/flags sdk
POST /ofrep/v1/evaluate/flags/{*} sdk
POST /relay/v1/events relay
POST /relay/v1/receipts relay
POST /sdk/v1/events sdk
POST /sdk/v1/receipt sdk
POST /triggers/v1/{trigger} -
PUT /api/v1/projects/{project}/code-places/{repository} editor
PUT /api/v1/projects/{project}/environments/{environment}/approvals admin
PUT /api/v1/projects/{project}/environments/{environment}/flags/{flag} editor
PUT /api/v1/projects/{project}/environments/{environment}/flags/{flag}/enabled operator
PUT /api/v1/projects/{project}/environments/{environment}/flags/{flag}/rollout operator
PUT /api/v1/projects/{project}/environments/{environment}/requests/{request} operator
PUT /api/v1/projects/{project}/freeze/policy admin
PUT /api/v1/projects/{project}/release-templates/{template} editor
PUT /api/v1/projects/{project}/retention admin
PUT /api/v1/projects/{project}/segments/{segment} editor
PUT /api/v1/projects/{project}/stale-rule editor
`.trim();

/** They never end, so that who may open them is tested where they are. */
const STREAMS: readonly string[] = [
  "/sdk/v1/stream",
  "/ofrep/v1/stream",
  "/relay/v1/stream",
  "/api/v1/projects/{project}/events/tail",
];

interface Route {
  readonly method: string;
  readonly path: string;
  readonly needs: string;
}

const ROUTES: readonly Route[] = TABLE.split("\n").map((line) => {
  const [method = "", path = "", needs = ""] = line.split(" ");
  return { method, path, needs };
});

let server: TestServer;
let ask: TestServer["ask"];
beforeAll(async () => {
  server = await everyDoor();
  ({ ask } = server);
  await ask("POST", "/api/v1/projects", { key: "elsewhere" });
});
afterAll(() => server.close());

const isRead = ({ method }: Route): boolean => method === "GET";

const call = ({ method, path }: Route, who: Ask, asked = ask): Promise<Answer> => {
  const url = path
    .replace("{project}", "default")
    .replace("{environment}", "production")
    .replace(/\{[\w*]+\}/g, "nothing");
  return asked(method, url, method === "GET" || method === "DELETE" ? undefined : {}, who);
};

/** Doors that ask for no token: they are open, or ask for a secret of their own, which nobody has here. */
const open = ({ path, needs }: Route): string | undefined =>
  path.startsWith("/triggers/") ? "401 unauthenticated" : needs === "-" ? "in" : undefined;

/** What keeps somebody out, whoever they are; any other answer comes from behind the door. */
const KEPT_OUT = /^(unauthenticated|forbidden|wrong_key_kind|cross_site|project_not_found|environment_not_found)$/;

/**
 * Calls every route as `who` and compares each cell with `outcome`: "in", or status and code. Streams never end, so that who
 * is let in there is tested where they are; who is refused is tested here. Returns how many cells were compared.
 */
const compare = async (
  who: Ask,
  outcome: (route: Route) => string,
  of: (route: Route) => boolean = () => true,
): Promise<number> => {
  const wanted = (route: Route): string => open(route) ?? outcome(route);
  const routes = ROUTES.filter(of).filter((route) => !(STREAMS.includes(route.path) && wanted(route) === "in"));
  const cells: string[] = [];
  for (const route of routes) {
    const { status, body } = await call(route, who);
    cells.push(`${route.method} ${route.path} ${KEPT_OUT.test(body?.code ?? "") ? `${status} ${body.code}` : "in"}`);
  }
  expect(cells).toEqual(routes.map((route) => `${route.method} ${route.path} ${wanted(route)}`));
  return cells.length;
};

const isApi = ({ path }: Route): boolean => path.startsWith("/api/");
const makeToken = async (token: object): Promise<string> =>
  (await ask("POST", "/api/v1/tokens", { name: "t", ...token })).body.secret;

/** The cookie of a browser that signed in with a token. */
const signIn = async (as: string): Promise<string> => {
  const { headers } = await ask("POST", "/api/v1/session", undefined, { as });
  return String(headers["set-cookie"]).split(";")[0] ?? "";
};

/** What a page of the server sends with every request. */
const OWN_PAGE = { host: "belay.example", origin: "http://belay.example", "x-belay-page": "1" };

/** All routes but the streams that let this caller in. */
const STREAM_ROUTES = ROUTES.filter(({ path }) => STREAMS.includes(path)).length;

describe("fault 44: every route", () => {
  it("is in the table, with the role that OpenAPI says", async () => {
    const { paths } = (await ask("GET", "/docs/json")).body as {
      paths: Record<string, Record<string, { "x-role"?: string; security?: object[] }>>;
    };
    const described = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { "x-role": role, security }]) => {
        const has = (scheme: string): boolean => security?.some((one) => scheme in one) === true;
        const needs = role ?? (has("sdkKey") ? "sdk" : has("relayKey") ? "relay" : "-");
        return `${method.toUpperCase()} ${path} ${needs}`;
      }),
    );
    expect(described.sort().join("\n")).toBe(TABLE);
  });

  /** The notices' stream takes a token of its own in the query, and no header. */
  const refusedAsToken = ({ path }: Route): string =>
    path === "/ofrep/v1/stream" ? "401 unauthenticated" : "403 wrong_key_kind";

  const isEnough = (role: Role, needs: string): boolean => ROLES.indexOf(role) >= ROLES.indexOf(needs as never);

  const isOfKeys = ({ needs }: Route): boolean => needs === "sdk" || needs === "relay";

  it.each(ROLES)("lets a %s in where that role is enough, and nowhere else", async (role) => {
    const outcome = (route: Route): string =>
      isOfKeys(route) ? refusedAsToken(route) : isEnough(role, route.needs) ? "in" : "403 forbidden";
    const cells = await compare({ as: await makeToken({ role }) }, outcome);
    expect(cells).toBeGreaterThanOrEqual(ROUTES.length - STREAM_ROUTES);
  });

  it.each(ROLES)("lets a signed-in %s in as their token, and at no door of SDKs", async (role) => {
    const cookie = await signIn(await makeToken({ role }));
    // Signing in needs the token itself; signing out ends this very session.
    const isOther = ({ method, path }: Route): boolean => path !== "/api/v1/session" || method === "GET";
    const outcome = (route: Route): string =>
      isOfKeys(route) ? "401 unauthenticated" : isEnough(role, route.needs) ? "in" : "403 forbidden";
    const cells = await compare({ cookie, headers: OWN_PAGE }, outcome, isOther);
    expect(cells).toBeGreaterThanOrEqual(ROUTES.length - STREAM_ROUTES - 2);
  });

  it("refuses a session from a page of others everywhere, and writes without the page's header", async () => {
    const cookie = await signIn(server.adminToken);
    const foreign = { ...OWN_PAGE, origin: "https://evil.example", "sec-fetch-site": "cross-site" };
    const outcome = (route: Route): string => (isOfKeys(route) ? "401 unauthenticated" : "403 cross_site");
    expect(await compare({ cookie, headers: foreign }, outcome)).toBe(ROUTES.length);
    const { host, origin } = OWN_PAGE;
    const writes = (route: Route): boolean => isApi(route) && !isRead(route);
    expect(await compare({ cookie, headers: { host, origin } }, outcome, writes)).toBe(ROUTES.filter(writes).length);
  });

  it("refuses who is nobody: no token, garbage, an expired and a revoked one, a session that ended", async () => {
    const expired = await makeToken({ role: "admin", expiresAt: new Date(server.clock.now + 1_000).toISOString() });
    const ofExpired = await signIn(expired);
    server.clock.now += 1_000;
    const revoked = await makeToken({ role: "admin" });
    const ofRevoked = await signIn(revoked);
    await ask("DELETE", `/api/v1/tokens/${readSecret(revoked)?.id}`);
    const ended = await signIn(server.adminToken);
    await ask("DELETE", "/api/v1/session", undefined, { cookie: ended, headers: OWN_PAGE });
    const wrong = `${revoked.slice(0, -1)}${revoked.endsWith("a") ? "b" : "a"}`;
    const tokens = ["", "garbage", expired, revoked, wrong, "belay_token_", "x".repeat(600)];
    const cookies = [ofExpired, ofRevoked, ended, "belay=x"];
    const callers = [...tokens.map((as) => ({ as })), ...cookies.map((cookie) => ({ cookie, headers: OWN_PAGE }))];
    let cells = 0;
    for (const who of callers) cells += await compare(who, () => "401 unauthenticated");
    expect(cells).toBe(11 * ROUTES.length);
  });

  it("lets SDK keys in at /sdk and /ofrep only", async () => {
    const outcome = (route: Route): string => {
      const isStream = route.path === "/ofrep/v1/stream";
      return route.needs === "sdk" && !isStream ? "in" : refusedAsToken(route);
    };
    // The stream of changes lets this caller in.
    expect(await compare({ as: server.sdkKeys["production"] as string }, outcome)).toBe(ROUTES.length - 1);
  });

  it("lets the key of a relay in at /relay only", async () => {
    const { secret } = (await ask("POST", `${P}/keys`, { environment: "production", kind: "relay" })).body;
    const outcome = (route: Route): string => (route.needs === "relay" ? "in" : refusedAsToken(route));
    // Its stream lets this caller in.
    expect(await compare({ as: secret }, outcome)).toBe(ROUTES.length - 1);
  });

  it("looks absent to an admin of another project", async () => {
    const token = await makeToken({ role: "admin", projects: ["elsewhere"] });
    const outcome = ({ path, needs }: Route): string => {
      if (path.includes("{project}")) return "404 project_not_found";
      return needs === "admin" ? "403 forbidden" : "in";
    };
    expect(await compare({ as: token }, outcome, isApi)).toBe(ROUTES.filter(isApi).length);
    expect((await ask("GET", "/api/v1/projects", undefined, { as: token })).body.items).toMatchObject([{ key: "elsewhere" }]);
  });

  it("looks absent to an admin of another environment, who may read but not write what all share", async () => {
    const token = await makeToken({ role: "admin", environments: ["staging"] });
    const outcome = (route: Route): string => {
      if (route.path.includes("{environment}")) return "404 environment_not_found";
      if (!route.path.includes("{project}")) return route.needs === "admin" ? "403 forbidden" : "in";
      return isRead(route) ? "in" : "403 forbidden";
    };
    // The tail lets this caller in.
    expect(await compare({ as: token }, outcome, isApi)).toBe(ROUTES.filter(isApi).length - 1);
    const keys = (await ask("GET", `${P}/keys`, undefined, { as: token })).body.items;
    expect(keys.map(({ environment }: { environment: string }) => environment)).toEqual(["staging"]);
    const changes = (await ask("GET", `${P}/changes?limit=500`, undefined, { as: token })).body.items;
    expect(changes.some(({ environment }: { environment?: string }) => environment === "production")).toBe(false);
  });
});

it("fault 47: no spelling of a path gets around the check", async () => {
  const plain = `${P}/flags`;
  const spellings = [
    `/${plain}`,
    `/api/..${plain}`,
    `/health/..${plain}`,
    `/sdk/v1/..${plain}`,
    "/%61pi/v1/projects/default/flags",
    "/api/v1/projects/%2e%2e/projects/default/flags",
    "/api/%2e/v1/projects/default/flags",
    "/API/v1/projects/default/flags",
    `${plain};x`,
    `${plain}/`,
    `${plain}%00`,
    `${plain}%20`,
    `${plain}?x`,
    `${plain}#x`,
    `\\${plain}`,
    "/api/v1/projects/default%2fflags",
    "/api/v1/projects/default/flags%3fx",
    "/api\\v1\\projects\\default\\flags",
  ];
  const callers: readonly Ask[] = [{ as: "nobody" }, { as: server.sdkKeys["production"] as string }, { cookie: "belay=x" }];
  expect((await ask("GET", plain)).status).toBe(200);
  for (const path of spellings) {
    for (const who of callers) {
      const { status, body } = await ask("GET", path, undefined, who);
      expect([path, [401, 403, 404].includes(status), body.items]).toEqual([path, true, undefined]);
    }
    for (const header of ["x-original-url", "x-rewrite-url", "x-forwarded-uri", "x-http-method-override"]) {
      const { status } = await ask("GET", path, undefined, { as: "nobody", headers: { [header]: "/health/live" } });
      expect([path, [401, 404].includes(status)]).toEqual([path, true]);
    }
  }
});

describe("fault 46: a secret", () => {
  it("is in no log line, answer, audit row or list, nor is its hash, whichever route it was sent to", async () => {
    const lines: string[] = [];
    const logged = await everyDoor({ logger: { level: "trace", stream: { write: (line) => void lines.push(line) } } });
    const texts: string[] = [];
    const made = await logged.ask("POST", `${P}/keys`, { environment: "production", kind: "client", name: "k" });
    const token = await logged.ask("POST", "/api/v1/tokens", { name: "t", role: "viewer" });
    const signedIn = await logged.ask("POST", "/api/v1/session");
    const cookie = String(signedIn.headers["set-cookie"]).split(";")[0] ?? "";
    const [, cookieSecret = "", , signature = ""] = cookie.split(".");
    const seals = [...logged.control.workspace.sessions.values()].map(({ body }) => body.seal);
    const sent = [logged.adminToken, made.body.secret, token.body.secret, ...Object.values(logged.sdkKeys)] as string[];
    const secrets = [...sent, cookieSecret, signature, ...seals];
    const callers: Ask[] = [...sent.map((as) => ({ as })), { cookie, headers: OWN_PAGE }, { as: `${made.body.secret}x` }];
    const finite = ROUTES.filter(
      ({ path, method }) => !STREAMS.includes(path) && !(path === "/api/v1/session" && method !== "GET"),
    );
    for (const who of callers) {
      for (const route of finite) texts.push(JSON.stringify(await call(route, who, logged.ask)));
      for (const path of ["/nowhere", "/metrics", `${P}/changes?limit=500`, `${P}/keys`, "/api/v1/tokens", "/docs/json"]) {
        texts.push((await logged.ask("GET", path, undefined, who)).text);
      }
      texts.push((await logged.ask("PUT", `${E}/flags/x/rollout`, '{"percentage":', who)).text);
    }
    await logged.close();
    const everything = [...lines, ...texts].join("\n");
    const hits = secrets.flatMap((secret) => [secret, hashSecret(secret)]).filter((text) => everything.includes(text));
    expect(secrets.every((secret) => secret.length >= 30)).toBe(true);
    expect(texts).toHaveLength(callers.length * (finite.length + 7));
    expect(lines.length).toBeGreaterThan(texts.length);
    expect(hits).toEqual([]);
  });

  it("has 160 random bits, finds its record by an id and is compared by its hash", () => {
    const fill = (bytes: Uint8Array): Uint8Array => bytes.map((_, index) => index * 7);
    const made = newSecret("server", fill);
    expect(made.secret).toMatch(/^belay_server_[a-z2-7]{12}_[a-z2-7]{32}$/);
    expect(readSecret(made.secret)).toEqual({ prefix: "server", id: made.id });
    expect(secretFits(made.secret, made.hash)).toBe(true);
    expect(secretFits(`${made.secret}x`, made.hash)).toBe(false);
    expect(secretFits(made.secret, undefined)).toBe(false);
    expect(readSecret("fixture-admin-token")).toBeUndefined();
  });
});

describe("the doors' manners", () => {
  it("answer what is not there, and what they cannot read, as problems", async () => {
    const missing = await ask("DELETE", "/api/v1/project/default");
    expect(missing.body).toMatchObject({ type: "about:belay/route_not_found", status: 404, method: "DELETE" });
    expect(missing.headers["content-type"]).toMatch(/^application\/problem\+json/);
    expect((await ask("GET", "/%zz")).body).toMatchObject({ status: 400, code: "malformed_request" });
  });

  it("fault 49: set security headers everywhere and allow other origins only at /sdk and /ofrep", async () => {
    const headers = { origin: "https://shop.example" };
    const api = await ask("GET", `${P}/flags`, undefined, { headers });
    const sdk = await ask("GET", "/sdk/v1/snapshot", undefined, { headers, as: server.sdkKeys["staging"] as string });
    expect(api.headers["access-control-allow-origin"]).toBeUndefined();
    expect(sdk.headers["access-control-allow-origin"]).toBe("*");
    for (const answer of [api, sdk, await ask("GET", "/nowhere")]) {
      expect(answer.headers["x-content-type-options"]).toBe("nosniff");
      expect(answer.headers["content-security-policy"]).not.toContain("unsafe-inline");
    }
    const preflight = { ...headers, "access-control-request-method": "POST", "access-control-request-headers": "authorization" };
    const allowed = await ask("OPTIONS", "/sdk/v1/receipt", undefined, { headers: preflight });
    expect([allowed.status, allowed.headers["access-control-max-age"]]).toEqual([204, "7200"]);
    const refused = await ask("OPTIONS", `${P}/flags`, undefined, { headers: preflight });
    expect([refused.status, refused.headers["access-control-allow-origin"]]).toEqual([405, undefined]);
  });
});
