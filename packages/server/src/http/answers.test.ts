import { ServedSnapshotSchema } from "@belay/protocol/schemas";
import { type TSchema, Type } from "@sinclair/typebox";
import { expect, it } from "vitest";
import { P, testServer } from "../app.fixture.ts";
import { everyDoor } from "../every-door.fixture.ts";
import { BulkEvaluationSchema, EvaluationSchema } from "../ofrep/schemas.ts";
import { openShop } from "../ofrep/shop.fixture.ts";
import { checkedAnswers } from "./answers.fixture.ts";
import { tour } from "./tour.fixture.ts";

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly responses: Readonly<Record<string, Media>> }>>>>;
}

interface Media {
  readonly content?: Readonly<Record<string, { readonly schema: Readonly<Record<string, unknown>> }>>;
}

/** One of the answers that OpenAPI tells of. */
interface Told extends Media {
  /** `GET /path`. */
  readonly route: string;
  readonly status: string;
}

const answersOf = ({ paths }: OpenApi): Told[] =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { responses }]) =>
      Object.entries(responses).map(([status, media]) => ({ route: `${method.toUpperCase()} ${path}`, status, ...media })),
    ),
  );

/** Successes that have no body by their nature. */
const BODILESS = ["204", "302"];

/** Is it a success of which OpenAPI says what comes with it? */
const isDescribed = ({ status, content }: Told): boolean =>
  BODILESS.includes(status) || (status.startsWith("2") && content !== undefined);

/** JSON that is ready as bytes and goes through no serializer. */
const AS_BYTES = ["GET /sdk/v1/snapshot", "POST /ofrep/v1/evaluate/flags/{*}", "POST /ofrep/v1/evaluate/flags"];

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
  expect(await tour(server)).toEqual([]);
  const openApi: OpenApi = (await server.ask("GET", "/docs/json")).body;
  await server.close();
  const inJson = answersOf(openApi).filter(
    (told) => isDescribed(told) && told.content?.["application/json"] !== undefined && !AS_BYTES.includes(told.route),
  );
  expect(inJson.map(({ route, status }) => `${route} ${status}`).filter((answer) => !seen.has(answer))).toEqual([]);
  expect(inJson.length).toBeGreaterThanOrEqual(69);
});

it("describes tuples as JSON Schema 2020-12 does, which OpenAPI 3.1 takes its schemas from", async () => {
  const server = await testServer();
  const lists = { items: 0, prefixItems: 0 };
  const count = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [name, inner] of Object.entries(value)) {
      if (Array.isArray(inner) && (name === "items" || name === "prefixItems")) lists[name] += 1;
      count(inner);
    }
  };
  const { body } = await server.ask("GET", "/docs/json");
  await server.close();
  count(body);
  expect(lists.items).toBe(0);
  expect(lists.prefixItems).toBeGreaterThanOrEqual(40);
  const claims =
    body.paths["/api/v1/projects/{project}/layers"].get.responses[200].content["application/json"].schema.properties.items.items
      .properties.claims;
  expect(claims.items.properties.range).toMatchObject({ type: "array", minItems: 2, maxItems: 2, items: false });
  expect(claims.items.properties.range.prefixItems).toHaveLength(2);
});

it("what is sent as bytes has the form that OpenAPI describes", async () => {
  const server = await testServer();
  await openShop(server);
  await server.ask("PATCH", `${P}/flags/pricing`, { clientSide: true });
  const client = await server.ask("POST", `${P}/keys`, { environment: "production", kind: "client" });
  const ask = async (as: string | undefined, [method, url]: [string, string], schema: TSchema): Promise<unknown> => {
    const body = method === "GET" ? undefined : { context: { targetingKey: "ann" } };
    const answer = await server.ask(method, url, body, { as: as ?? "" });
    return JSON.parse(checkedAnswers({ schema, method, url, httpStatus: "200" })(answer.body));
  };
  const key = server.sdkKeys["production"];
  const snapshot: [string, string] = ["GET", "/sdk/v1/snapshot"];
  expect(await ask(key, snapshot, ServedSnapshotSchema)).toMatchObject({ flags: { count: { type: "number" } } });
  expect(await ask(client.body.secret, snapshot, ServedSnapshotSchema)).toMatchObject({ flags: { pricing: { type: "string" } } });
  const evaluate = "/ofrep/v1/evaluate/flags";
  expect(await ask(key, ["POST", `${evaluate}/pricing`], EvaluationSchema)).toMatchObject({ key: "pricing", reason: "SPLIT" });
  expect(await ask(key, ["POST", evaluate], BulkEvaluationSchema)).toMatchObject({
    metadata: { flagSetId: "default/production" },
  });
  await server.close();
});

it("every route describes what it answers, and refuses with problem documents", async () => {
  const server = await everyDoor();
  const openApi: OpenApi = (await server.ask("GET", "/docs/json")).body;
  await server.close();
  const answers = answersOf(openApi);
  const described = new Set(answers.filter(isDescribed).map(({ route }) => route));
  const routes = [...new Set(answers.map(({ route }) => route))];
  expect(routes.filter((route) => !described.has(route))).toEqual([]);
  const refusals = new Map(answers.filter(({ status }) => status === "4XX").map(({ route, content }) => [route, content]));
  const api = routes.filter((route) => route.includes(" /api/"));
  const types = new Set(api.flatMap((route) => Object.keys(refusals.get(route) ?? { none: "" })));
  expect([...types]).toEqual(["application/problem+json"]);
});

it("an answer of another form is found out", () => {
  const schema = Type.Object({ a: Type.Integer() }, { additionalProperties: false });
  const write = checkedAnswers({ schema, method: "GET", url: "/x", httpStatus: "200" });
  expect(write({ a: 1, b: undefined })).toBe('{"a":1}');
  for (const wrong of [{ a: "1" }, {}, { a: 1, b: 2 }, [], null]) expect(() => write(wrong)).toThrow("GET /x 200 answers");
});
