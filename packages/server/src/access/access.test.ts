import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Answer, E, P, type TestServer, testServer } from "../app.fixture.ts";
import { eventDoors } from "../exposures/routes.ts";
import { ProblemError } from "../http/problem.ts";
import type { Importer } from "../imports/importer.ts";
import { importDoors } from "../imports/routes.ts";
import { recordDoors } from "../record-doors.ts";
import { releaseServer } from "../releases/desk.fixture.ts";
import type { DeliveryStore } from "../store/deliveries/index.ts";
import type { EventStore } from "../store/events/index.ts";
import { webhookDoors } from "../webhooks/routes.ts";
import { ROLES } from "./identity.ts";
import { hashSecret, newSecret, readSecret, secretFits } from "./secrets.ts";

/** Stands where nothing behind the doors may matter: whoever gets in finds the store full. */
const FULL = new Proxy({}, { get: () => () => Promise.reject(new ProblemError("spool_full", { limit: 0 })) }) as EventStore;

/** Nothing was ever imported. */
const NO_IMPORTS = { list: () => [], find: () => undefined } as unknown as Importer;

/** Every route and who may call it. A new route that is not written down here fails the test. */
const TABLE = `
DELETE /api/v1/projects/{project}/environments/{environment}/releases/{release}/triggers/{trigger} operator
DELETE /api/v1/projects/{project}/keys/{key} admin
DELETE /api/v1/projects/{project}/release-templates/{template} editor
DELETE /api/v1/projects/{project}/segments/{segment} editor
DELETE /api/v1/projects/{project}/units/{unit} admin
DELETE /api/v1/projects/{project}/webhooks/{webhook} admin
DELETE /api/v1/session viewer
DELETE /api/v1/tokens/{token} admin
GET /api/v1/projects viewer
GET /api/v1/projects/{project} viewer
GET /api/v1/projects/{project}/changes viewer
GET /api/v1/projects/{project}/changes/{change} viewer
GET /api/v1/projects/{project}/environments viewer
GET /api/v1/projects/{project}/environments/{environment} viewer
GET /api/v1/projects/{project}/environments/{environment}/diff viewer
GET /api/v1/projects/{project}/environments/{environment}/flags viewer
GET /api/v1/projects/{project}/environments/{environment}/flags/{flag} viewer
GET /api/v1/projects/{project}/environments/{environment}/flags/{flag}/promotion viewer
GET /api/v1/projects/{project}/environments/{environment}/flags/{flag}/rollout viewer
GET /api/v1/projects/{project}/environments/{environment}/ledger analyst
GET /api/v1/projects/{project}/environments/{environment}/ledger/instances analyst
GET /api/v1/projects/{project}/environments/{environment}/releases viewer
GET /api/v1/projects/{project}/environments/{environment}/releases/{release} viewer
GET /api/v1/projects/{project}/environments/{environment}/releases/{release}/plan viewer
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
GET /api/v1/projects/{project}/imports analyst
GET /api/v1/projects/{project}/imports/{import} analyst
GET /api/v1/projects/{project}/imports/{import}/rejected analyst
GET /api/v1/projects/{project}/incidents viewer
GET /api/v1/projects/{project}/instances viewer
GET /api/v1/projects/{project}/keys viewer
GET /api/v1/projects/{project}/layers viewer
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
GET /api/v1/projects/{project}/suspects viewer
GET /api/v1/projects/{project}/uncovered viewer
GET /api/v1/projects/{project}/webhooks viewer
GET /api/v1/projects/{project}/webhooks/{webhook} viewer
GET /api/v1/projects/{project}/webhooks/{webhook}/deliveries viewer
GET /api/v1/session viewer
GET /api/v1/tokens admin
GET /health/live -
GET /health/ready -
GET /ofrep/v1/stream sdk
GET /sdk/v1/snapshot sdk
GET /sdk/v1/stream sdk
GET /signin -
PATCH /api/v1/projects/{project}/environments/{environment}/releases/{release} editor
PATCH /api/v1/projects/{project}/experiments/{experiment} editor
PATCH /api/v1/projects/{project}/flags/{flag} editor
PATCH /api/v1/projects/{project}/metrics/{metric} editor
PATCH /api/v1/projects/{project}/webhooks/{webhook} admin
POST /api/v1/projects admin
POST /api/v1/projects/{project}/environments admin
POST /api/v1/projects/{project}/environments/{environment}/explain viewer
POST /api/v1/projects/{project}/environments/{environment}/flags/bulk operator
POST /api/v1/projects/{project}/environments/{environment}/flags/{flag}/preview viewer
POST /api/v1/projects/{project}/environments/{environment}/flags/{flag}/promotion editor
POST /api/v1/projects/{project}/environments/{environment}/releases editor
POST /api/v1/projects/{project}/environments/{environment}/releases/{release}/abort operator
POST /api/v1/projects/{project}/environments/{environment}/releases/{release}/advance operator
POST /api/v1/projects/{project}/environments/{environment}/releases/{release}/approvals operator
POST /api/v1/projects/{project}/environments/{environment}/releases/{release}/drill operator
POST /api/v1/projects/{project}/environments/{environment}/releases/{release}/evidence operator
POST /api/v1/projects/{project}/environments/{environment}/releases/{release}/hold operator
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
POST /api/v1/projects/{project}/layers editor
POST /api/v1/projects/{project}/metrics editor
POST /api/v1/projects/{project}/metrics/preview analyst
POST /api/v1/projects/{project}/metrics/{metric}/archive editor
POST /api/v1/projects/{project}/metrics/{metric}/restore editor
POST /api/v1/projects/{project}/rollback-since operator
POST /api/v1/projects/{project}/segments editor
POST /api/v1/projects/{project}/webhooks admin
POST /api/v1/projects/{project}/webhooks/{webhook}/deliveries/{delivery}/resend operator
POST /api/v1/projects/{project}/webhooks/{webhook}/secret admin
POST /api/v1/projects/{project}/webhooks/{webhook}/test operator
POST /api/v1/session viewer
POST /api/v1/tokens admin
POST /ofrep/v1/evaluate/flags sdk
POST /ofrep/v1/evaluate/flags/{*} sdk
POST /sdk/v1/events sdk
POST /sdk/v1/receipt sdk
POST /triggers/v1/{trigger} -
PUT /api/v1/projects/{project}/environments/{environment}/approvals admin
PUT /api/v1/projects/{project}/environments/{environment}/flags/{flag} editor
PUT /api/v1/projects/{project}/environments/{environment}/flags/{flag}/enabled operator
PUT /api/v1/projects/{project}/environments/{environment}/flags/{flag}/rollout operator
PUT /api/v1/projects/{project}/environments/{environment}/requests/{request} operator
PUT /api/v1/projects/{project}/freeze/policy admin
PUT /api/v1/projects/{project}/release-templates/{template} editor
PUT /api/v1/projects/{project}/retention admin
PUT /api/v1/projects/{project}/segments/{segment} editor
`.trim();

/** They never end, so that who may open them is tested where they are. */
const STREAMS: readonly string[] = ["/sdk/v1/stream", "/ofrep/v1/stream", "/api/v1/projects/{project}/events/tail"];

interface Route {
  readonly method: string;
  readonly path: string;
  readonly needs: string;
}

let server: TestServer;
let ask: TestServer["ask"];
let routes: Route[];
beforeAll(async () => {
  server = await releaseServer({
    doors: [
      (access) => eventDoors({ access, events: FULL, hasEnvironment: () => true }),
      recordDoors({ events: FULL, now: Date.now }),
      webhookDoors({
        fillRandom: (bytes) => bytes,
        store: FULL as unknown as DeliveryStore,
        courier: { wake: () => undefined },
        send: async () => ({}),
        now: Date.now,
      }),
      importDoors(NO_IMPORTS),
    ],
  });
  ({ ask } = server);
  await ask("POST", "/api/v1/projects", { key: "elsewhere" });
  routes = TABLE.split("\n").map((line) => {
    const [method = "", path = "", needs = ""] = line.split(" ");
    return { method, path, needs };
  });
});
afterAll(() => server.close());

const call = ({ method, path }: Route, as: string): Promise<Answer> => {
  const url = path
    .replace("{project}", "default")
    .replace("{environment}", "production")
    .replace(/\{[\w*]+\}/g, "nothing");
  return ask(method, url, method === "GET" || method === "DELETE" ? undefined : {}, { as });
};

const outcomes = async (as: string, of: (route: Route) => boolean = () => true): Promise<string[]> => {
  const lines: string[] = [];
  for (const route of routes.filter(({ path }) => !STREAMS.includes(path)).filter(of)) {
    const { status, body } = await call(route, as);
    const isIn = status !== 401 && status !== 403 && !/^(project|environment)_not_found$/.test(body?.code ?? "");
    lines.push(`${route.method} ${route.path} ${isIn ? "in" : `${status} ${body.code}`}`);
  }
  return lines;
};

const expected = (outcome: (route: Route) => string, of: (route: Route) => boolean = () => true): string[] =>
  routes
    .filter(({ path }) => !STREAMS.includes(path))
    .filter(of)
    .map((route) => `${route.method} ${route.path} ${open(route) ?? outcome(route)}`);

/** Doors that ask for no token: they are open, or ask for a secret of their own, which nobody has here. */
const open = ({ path, needs }: Route): string | undefined =>
  path.startsWith("/triggers/") ? "401 unauthenticated" : needs === "-" ? "in" : undefined;

const isApi = ({ path }: Route): boolean => path.startsWith("/api/");
const makeToken = async (token: object): Promise<string> =>
  (await ask("POST", "/api/v1/tokens", { name: "t", ...token })).body.secret;

describe("fault 44: every route", () => {
  it("is in the table, with the role that OpenAPI says", async () => {
    const { paths } = (await ask("GET", "/docs/json")).body as {
      paths: Record<string, Record<string, { "x-role"?: string; security?: object[] }>>;
    };
    const described = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { "x-role": role, security }]) => {
        const needs = role ?? (security?.some((scheme) => "sdkKey" in scheme) ? "sdk" : "-");
        return `${method.toUpperCase()} ${path} ${needs}`;
      }),
    );
    expect(described.sort().join("\n")).toBe(TABLE);
  });

  it.each(ROLES)("lets a %s in where that role is enough, and nowhere else", async (role) => {
    const token = await makeToken({ role });
    const isEnough = (needs: string): boolean => ROLES.indexOf(role) >= ROLES.indexOf(needs as never);
    const outcome = ({ needs }: Route): string =>
      needs === "sdk" ? "403 wrong_key_kind" : isEnough(needs) ? "in" : "403 forbidden";
    expect(await outcomes(token)).toEqual(expected(outcome));
  });

  it("refuses who is nobody: no token, garbage, an expired and a revoked one", async () => {
    const expired = await makeToken({ role: "admin", expiresAt: new Date(server.clock.now + 1_000).toISOString() });
    server.clock.now += 1_000;
    const revoked = await makeToken({ role: "admin" });
    await ask("DELETE", `/api/v1/tokens/${readSecret(revoked)?.id}`);
    const wrong = `${revoked.slice(0, -1)}${revoked.endsWith("a") ? "b" : "a"}`;
    for (const as of ["", "garbage", expired, revoked, wrong, "belay_token_", "x".repeat(600)]) {
      expect(await outcomes(as)).toEqual(expected(() => "401 unauthenticated"));
    }
  });

  it("lets SDK keys in at /sdk and /ofrep only", async () => {
    const outcome = ({ needs }: Route): string => (needs === "sdk" ? "in" : "403 wrong_key_kind");
    expect(await outcomes(server.sdkKeys["production"] as string)).toEqual(expected(outcome));
  });

  it("looks absent to an admin of another project", async () => {
    const token = await makeToken({ role: "admin", projects: ["elsewhere"] });
    const outcome = ({ path, needs }: Route): string => {
      if (path.includes("{project}")) return "404 project_not_found";
      return needs === "admin" ? "403 forbidden" : "in";
    };
    expect(await outcomes(token, isApi)).toEqual(expected(outcome, isApi));
    expect((await ask("GET", "/api/v1/projects", undefined, { as: token })).body.items).toMatchObject([{ key: "elsewhere" }]);
  });

  it("looks absent to an admin of another environment, who may read but not write what all share", async () => {
    const token = await makeToken({ role: "admin", environments: ["staging"] });
    const outcome = ({ method, path, needs }: Route): string => {
      if (path.includes("{environment}")) return "404 environment_not_found";
      if (!path.includes("{project}")) return needs === "admin" ? "403 forbidden" : "in";
      return method === "GET" ? "in" : "403 forbidden";
    };
    expect(await outcomes(token, isApi)).toEqual(expected(outcome, isApi));
    const keys = (await ask("GET", `${P}/keys`, undefined, { as: token })).body.items;
    expect(keys.map(({ environment }: { environment: string }) => environment)).toEqual(["staging"]);
    const changes = (await ask("GET", `${P}/changes?limit=500`, undefined, { as: token })).body.items;
    expect(changes.some(({ environment }: { environment?: string }) => environment === "production")).toBe(false);
  });
});

it("fault 47: no spelling of a path gets around the check", async () => {
  const plain = `${P}/flags`;
  const spellings = [
    "//api/v1/projects/default/flags",
    "/api/../api/v1/projects/default/flags",
    "/%61pi/v1/projects/default/flags",
    "/api/v1/projects/%2e%2e/projects/default/flags",
    "/API/v1/projects/default/flags",
    "/api/v1/projects/default/flags;x",
    "/api/v1/projects/default/flags/",
    "/api/v1/projects/default/flags%00",
    "/api/v1/projects/default%2fflags",
  ];
  expect((await ask("GET", plain, undefined, { as: "nobody" })).status).toBe(401);
  for (const path of spellings) {
    const { status, body } = await ask("GET", path, undefined, { as: "nobody" });
    expect([path, [401, 404].includes(status), body.items]).toEqual([path, true, undefined]);
  }
});

describe("fault 46: a secret", () => {
  it("is in no log line, error, audit row or list, nor is its hash", async () => {
    const lines: string[] = [];
    const logged = await testServer({ logger: { level: "trace", stream: { write: (line) => void lines.push(line) } } });
    const made = await logged.ask("POST", `${P}/keys`, { environment: "production", kind: "client", name: "k" });
    const token = await logged.ask("POST", "/api/v1/tokens", { name: "t", role: "viewer" });
    const secrets = [logged.adminToken, made.body.secret, token.body.secret, ...Object.values(logged.sdkKeys)] as string[];
    const texts: string[] = [];
    for (const as of secrets) {
      for (const path of [
        `${P}/changes?limit=500`,
        `${P}/keys`,
        "/api/v1/tokens",
        "/sdk/v1/snapshot",
        "/nowhere",
        `${P}/flags/x`,
      ]) {
        texts.push((await logged.ask("GET", path, undefined, { as })).text);
      }
      texts.push((await logged.ask("PUT", `${E}/flags/x/rollout`, '{"percentage":', { as })).text);
      texts.push((await logged.ask("DELETE", `${P}/keys/${made.body.id}`, undefined, { as })).text);
    }
    await logged.close();
    const everything = [...lines, ...texts].join("\n");
    const hits = secrets.flatMap((secret) => [secret, hashSecret(secret)]).filter((text) => everything.includes(text));
    expect(lines.length).toBeGreaterThan(50);
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
    const missing = await ask("DELETE", "/api/v1/projects/default");
    expect(missing.body).toMatchObject({ type: "about:belay/route_not_found", status: 404, method: "DELETE" });
    expect(missing.headers["content-type"]).toMatch(/^application\/problem\+json/);
    expect((await ask("GET", "/%zz")).body).toMatchObject({ status: 400, code: "malformed_request" });
  });

  it("set security headers everywhere and allow other origins only at /sdk and /ofrep", async () => {
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
    expect((await ask("OPTIONS", `${P}/flags`, undefined, { headers: preflight })).status).toBe(404);
  });
});
