import { Type } from "@sinclair/typebox";
import { expect, it } from "vitest";
import { E, P, testServer } from "../app.fixture.ts";
import { everyDoor } from "../every-door.fixture.ts";
import { checkedAnswers } from "./answers.fixture.ts";

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly responses: Readonly<Record<string, Media>> }>>>>;
}

interface Media {
  readonly content?: Readonly<Record<string, { readonly schema: Readonly<Record<string, unknown>> }>>;
}

/** `GET /path 200` of every success whose body OpenAPI describes. */
const described = ({ paths }: OpenApi): string[] =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { responses }]) =>
      Object.entries(responses)
        .filter(([status, { content }]) => status.startsWith("2") && (content !== undefined || status === "204"))
        .map(([status]) => `${method.toUpperCase()} ${path} ${status}`),
    ),
  );

type Step = readonly [method: string, path: string, body?: unknown];

/** What experiments share. */
const SHARED: readonly Step[] = [
  ["POST", `${P}/layers`, { key: "checkout", by: "company" }],
  ["GET", `${P}/layers`],
  ["POST", `${P}/holdouts`, { key: "year", percentage: 2.5, description: "A year" }],
  ["GET", `${P}/holdouts`],
  ["POST", `${P}/holdouts/year/end`, {}],
  ["POST", `${P}/incidents`, { key: "outage", environment: "production", reason: "No payments" }],
  ["POST", `${P}/incidents/outage/end`, {}],
  ["GET", `${P}/incidents`],
  ["PUT", `${P}/stale-rule`, { unseenDays: 9 }],
  ["GET", `${P}/stale-rule`],
  ["GET", `${P}/instances`],
  ["PUT", `${E}/approvals`, { required: 0 }],
];

it("every answer whose form OpenAPI describes has that form", async () => {
  const seen = new Set<string>();
  const server = await testServer({
    serializer: (route) => {
      const write = checkedAnswers(route);
      const path = route.url?.replace(/:(\w+)/g, "{$1}");
      return (answer) => {
        seen.add(`${route.method} ${path} ${route.httpStatus}`);
        return write(answer);
      };
    },
  });
  const { ask } = server;
  const statuses: number[] = [];
  const say = async (method: string, path: string, body?: unknown): Promise<ReturnType<typeof JSON.parse>> => {
    const answer = await ask(method, path, body);
    statuses.push(answer.status);
    return answer.body;
  };
  await say("POST", "/api/v1/projects", { key: "other", name: "Other", privateAttributes: ["email"] });
  await say("POST", `${P}/environments`, { key: "canary" });
  await say("POST", `${P}/segments`, { key: "staff", when: { attribute: "email", op: "endsWith", value: "@shop.example" } });
  await say("PUT", `${P}/segments/staff`, { description: "Us", when: { not: { attribute: "plan", op: "exists", value: true } } });
  await say("POST", `${P}/flags`, { key: "a", owner: "ann", tags: ["t"], expectedLifetimeDays: 9, description: "A" });
  await say("POST", `${P}/flags`, { key: "b", type: "object", variants: { x: { y: [1, null] }, z: [] } });
  await say("PATCH", `${P}/flags/a`, { owner: null, kind: "operational" });
  await say("PUT", `${E}/flags/a`, {
    enabled: true,
    off: "off",
    prerequisites: [{ flag: "b", variants: ["x"] }],
    rules: [
      { id: "r", name: "R", when: { all: [{ segment: "staff" }, { flag: "b", variants: ["x"] }] }, serve: { variant: "on" } },
      { id: "s", serve: { weights: { on: 40, off: 60 }, share: 50, tracks: { experiment: "e" } } },
    ],
    fallthrough: { variant: "off" },
  });
  await say("PUT", `${E}/flags/b/rollout`, { percentage: 12.5, variant: "x" });
  await say("PUT", `${E}/flags/b/enabled`, { enabled: false });
  await say("POST", `${E}/flags/bulk`, { action: "enable", flags: ["a", "b", "none"] });
  await say("POST", `${P}/flags/bulk`, { action: "archive", flags: ["a", "b"] });
  await say("POST", `${P}/flags/b/archive`, {});
  await say("POST", `${P}/flags/b/restore`, {});
  const key = await say("POST", `${P}/keys`, { environment: "production", kind: "client" });
  await say("POST", `${P}/keys/${key.id}/rotate`, { overlapHours: 1 });
  await say("DELETE", `${P}/keys/${key.id}`);
  const token = await say("POST", "/api/v1/tokens", {
    name: "t",
    role: "viewer",
    projects: ["default"],
    environments: ["staging"],
  });
  await say("POST", `/api/v1/tokens/${token.id}/rotate`, {});
  await say("DELETE", `/api/v1/tokens/${token.id}`);
  await say("POST", "/api/v1/session");
  for (const path of [
    "",
    "/environments",
    "/environments/canary",
    "/flags",
    "/flags/a",
    "/segments",
    "/segments/staff",
    "/keys",
  ]) {
    await say("GET", `${P}${path}`);
  }
  for (const path of ["/flags", "/flags/a", "/flags/b/rollout", "/flags/a/rollout"]) await say("GET", `${E}${path}`);
  for (const path of [
    "/api/v1/projects?limit=1",
    "/api/v1/tokens",
    "/api/v1/session",
    "/signin",
    "/health/live",
    "/health/ready",
  ]) {
    await say("GET", path);
  }
  for (const step of SHARED) await say(...step);
  const { secret } = await say("POST", `${P}/keys`, { environment: "production", kind: "relay" });
  expect((await ask("GET", "/relay/v1/state", undefined, { as: secret })).body.snapshot.environment).toBe("production");
  await say("DELETE", `${P}/segments/staff`);
  await say("DELETE", "/api/v1/session");
  const openApi: OpenApi = (await ask("GET", "/docs/json")).body;
  await server.close();
  const withBody = described(openApi).filter((route) => !route.endsWith(" 204"));
  expect(statuses.filter((status) => status >= 300)).toEqual([]);
  expect(withBody.filter((route) => !seen.has(route))).toEqual([]);
  expect(withBody.length).toBeGreaterThanOrEqual(35);
});

/**
 * Parts of the API whose answers OpenAPI does not describe whole yet: the test fails when one of them does, so that the list
 * gets shorter, and when a route of another part does not.
 */
const UNDESCRIBED: readonly RegExp[] = [
];

it("every route describes what it answers, and refuses with problem documents, but for the parts named here", async () => {
  const server = await everyDoor();
  const openApi: OpenApi = (await server.ask("GET", "/docs/json")).body;
  await server.close();
  const known = new Set(described(openApi).map((route) => route.slice(0, route.lastIndexOf(" "))));
  const routes = Object.entries(openApi.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { responses }]) => ({ name: `${method.toUpperCase()} ${path}`, path, responses })),
  );
  const missing = routes.filter(({ name }) => !known.has(name));
  const outside = missing.filter(({ path }) => !UNDESCRIBED.some((part) => part.test(path)));
  expect(outside.map(({ name }) => name)).toEqual([]);
  const done = UNDESCRIBED.filter((part) => !missing.some(({ path }) => part.test(path)));
  expect(done).toEqual([]);
  const api = routes.filter(({ path }) => path.startsWith("/api/"));
  const types = new Set(api.flatMap(({ responses }) => Object.keys(responses["4XX"]?.content ?? { none: "" })));
  expect([...types]).toEqual(["application/problem+json"]);
});

it("an answer of another form is found out", () => {
  const schema = Type.Object({ a: Type.Integer() }, { additionalProperties: false });
  const write = checkedAnswers({ schema, method: "GET", url: "/x", httpStatus: "200" });
  expect(write({ a: 1, b: undefined })).toBe('{"a":1}');
  for (const wrong of [{ a: "1" }, {}, { a: 1, b: 2 }, [], null]) expect(() => write(wrong)).toThrow("GET /x 200 answers");
});
