import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readSecret } from "../access/secrets.ts";
import { TOKEN_WINDOW_MS } from "../access/stream-token.ts";
import { type Answer, E, P, type TestServer, testServer } from "../app.fixture.ts";
import { Intake } from "../exposures/intake.ts";
import { ProblemError } from "../http/problem.ts";
import { Feed } from "../snapshots/feed.ts";
import { LiveSnapshot } from "../state/snapshots.ts";
import type { IncomingBatch } from "../store/events/index.ts";
import { type Reader, readEvents } from "../stream/sse.fixture.ts";
import { FlagSet } from "./flag-set.ts";
import { openShop, SHOP } from "./shop.fixture.ts";

const FLAGS = "/ofrep/v1/evaluate/flags";
const ANN = { targetingKey: "ann" };

let server: TestServer;
let serverKey: string;
let clientKey: string;
let batches: IncomingBatch[];
let storeFault: ProblemError | undefined;

/** A store that keeps batches in a list. */
const intake = () =>
  new Intake({
    now: () => server.clock.now,
    events: {
      append: async (batch) => {
        if (storeFault !== undefined) throw storeFault;
        batches.push(batch);
        return { accepted: batch.exposures.length, duplicates: 0 };
      },
    },
  });

beforeEach(async () => {
  batches = [];
  storeFault = undefined;
  server = await testServer({ intake: intake(), ofrep: { requestsPerSecond: 100 }, streams: { heartbeatMs: 100 } });
  await openShop(server);
  serverKey = server.sdkKeys["production"] as string;
  clientKey = (await server.ask("POST", `${P}/keys`, { environment: "production", kind: "client" })).body.secret;
});
afterEach(() => server.close());

const post = (path: string, body: unknown, headers: Record<string, string> = {}, as = serverKey): Promise<Answer> =>
  server.ask("POST", path, body, { as, headers });
const one = (key: string, context: object = ANN, headers = {}): Promise<Answer> => post(`${FLAGS}/${key}`, { context }, headers);
const all = (context: object = ANN, headers = {}, as = serverKey): Promise<Answer> => post(FLAGS, { context }, headers, as);
const tagOf = ({ headers }: Answer): string => String(headers["etag"]);
const streamUrlOf = ({ body }: Answer): string => body.eventStreams[0].endpoint.requestUri;
const revision = async (): Promise<number> => (await server.ask("GET", E)).body.revision;

describe("one flag", () => {
  it.each([
    ["browser-banner", { country: "DE" }, { value: true, variant: "on", reason: "TARGETING_MATCH" }, { ruleId: "de" }],
    ["browser-banner", { country: "FR" }, { value: false, variant: "off", reason: "DEFAULT" }, {}],
    ["browser-title", {}, { value: "Hello", variant: "plain", reason: "STATIC" }, {}],
    ["count", {}, { value: 40.5, variant: "many", reason: "STATIC" }, { ticket: "SHOP-7", beta: true }],
    ["layout", {}, { value: { columns: 3, gaps: [1, 2] }, variant: "wide", reason: "STATIC" }, {}],
  ])("%s for %j is %j", async (key, attributes, answer, metadata) => {
    const version = String(await revision());
    const said = await one(key, { ...ANN, ...attributes });
    expect([said.status, said.headers["content-type"]]).toEqual([200, "application/json; charset=utf-8"]);
    expect(said.body).toEqual({ key, ...answer, metadata: { flagSetId: "default/production", version, ...metadata } });
  });

  it("names experiment, epoch and unit of a tracked part", async () => {
    const { body } = await one("pricing");
    expect(["c", "r"]).toContain(body.value);
    expect(body).toMatchObject({ reason: "SPLIT", metadata: { experiment: "pricing-test", unit: "ann" } });
    expect(body.metadata.epoch).toBeGreaterThan(0);
  });

  it("without a value is a success without one; an error or missing for who asks so", async () => {
    const plain = await one("valueless");
    expect([plain.status, plain.body.key, plain.body.reason, "value" in plain.body]).toEqual([
      200,
      "valueless",
      "DEFAULT",
      false,
    ]);
    const error = await one("valueless", ANN, { "belay-defaults": "error" });
    expect([error.status, error.body.key, error.body.errorCode]).toEqual([400, "valueless", "GENERAL"]);
    const omitted = await one("valueless", ANN, { "belay-defaults": "omit" });
    expect([omitted.status, omitted.body.key, omitted.body.errorCode]).toEqual([404, "valueless", "FLAG_NOT_FOUND"]);
  });

  it.each(["nowhere", "a%20b/c", "a%2Fb", "*", "", "__proto__", "constructor", "x".repeat(300)])(
    "%j is not found, by its whole key",
    async (key) => {
      const said = await one(key);
      expect([said.status, said.body]).toEqual([
        404,
        { key: decodeURIComponent(key), errorCode: "FLAG_NOT_FOUND", errorDetails: "There is no such flag for this SDK key." },
      ]);
    },
  );

  it("wants a unit where one is divided", async () => {
    const said = await one("pricing", { country: "DE" });
    expect([said.status, said.body.key, said.body.errorCode]).toEqual([400, "pricing", "TARGETING_KEY_MISSING"]);
  });

  it("that is malformed says why, and leaves its neighbours alone", () => {
    const flag = { type: "boolean", variants: { on: true }, enabled: true, rules: [] } as const;
    const head = { project: "p", environment: "e", revision: 1, spaces: {}, segments: {} };
    const broken = { ...flag, fallthrough: { variant: "nowhere" } };
    const fine = { ...flag, fallthrough: { variant: "on" } };
    const flags = new FlagSet(new Feed(new LiveSnapshot(head, new Map(Object.entries({ broken, fine })))), {});
    expect(flags.say("broken", flags.decide("broken", {}), {})).toMatchObject({
      failure: {
        key: "broken",
        errorCode: "PARSE_ERROR",
        errorDetails: expect.stringMatching(/^The flag's definition is malformed: ./),
      },
    });
    const answers = JSON.parse(`[${flags.all({}, "valueless").join()}]`) as {
      key: string;
      value?: boolean;
      errorCode?: string;
    }[];
    expect(answers.map(({ key, value, errorCode }) => [key, value, errorCode])).toEqual([
      ["broken", undefined, "PARSE_ERROR"],
      ["fine", true, undefined],
    ]);
  });
});

describe("all flags", () => {
  it("are answered as one by one, sorted, with the metadata of the set", async () => {
    const { status, body, headers } = await all();
    expect([status, headers["content-type"]]).toEqual([200, "application/json; charset=utf-8"]);
    expect(body.flags.map(({ key }: { key: string }) => key)).toEqual(Object.keys(SHOP).sort());
    for (const answer of body.flags) expect(answer).toEqual((await one(answer.key)).body);
    expect(body.metadata).toEqual({ flagSetId: "default/production", version: String(await revision()) });
  });

  it("a client key sees those for browsers, one by one too", async () => {
    const { body } = await all(ANN, {}, clientKey);
    expect(body.flags.map(({ key }: { key: string }) => key)).toEqual(["browser-banner", "browser-title"]);
    expect((await post(`${FLAGS}/count`, { context: ANN }, {}, clientKey)).status).toBe(404);
  });

  it("one that fails stands among the others, one without a value as the client asks", async () => {
    const valueless = async (mode: string): Promise<unknown> =>
      (await all(ANN, { "belay-defaults": mode })).body.flags.filter(({ key }: { key: string }) => key === "valueless");
    const { body } = await all({});
    expect(body.flags.find(({ key }: { key: string }) => key === "pricing")).toMatchObject({
      errorCode: "TARGETING_KEY_MISSING",
    });
    expect(body.flags).toHaveLength(6);
    expect(await valueless("error")).toMatchObject([{ errorCode: "GENERAL" }]);
    expect(await valueless("omit")).toEqual([]);
  });

  it("are not sent again to who holds them: 304, empty, for the same revision and context", async () => {
    const first = await all();
    for (const tag of [tagOf(first), `W/${tagOf(first)}`, `"other", ${tagOf(first)}`]) {
      const again = await all(ANN, { "if-none-match": tag });
      expect([again.status, again.text, tagOf(again)]).toEqual([304, "", tagOf(first)]);
    }
    const reordered = await all({ b: 1, a: 2, ...ANN });
    expect((await all({ ...ANN, a: 2, b: 1 }, { "if-none-match": tagOf(reordered) })).status).toBe(304);
  });

  it("the tag covers context, revision, key, and what is said of defaults", async () => {
    const first = await all();
    const held = { "if-none-match": tagOf(first) };
    const others = [
      await all({ ...ANN, country: "DE" }, held),
      await all({ targetingKey: "bob" }, held),
      await all(ANN, { ...held, "belay-defaults": "omit" }),
      await all(ANN, held, clientKey),
    ];
    await server.ask("PUT", `${E}/flags/browser-banner/enabled`, { enabled: false });
    others.push(await all(ANN, held));
    expect(others.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(new Set([first, ...others].map(tagOf)).size).toBe(6);
  });

  it("takes the query of a refetch", async () => {
    const path = `${FLAGS}?flagConfigEtag=%222%22&flagConfigLastModified=2026-11-22T12%3A00%3A00Z`;
    expect((await post(path, { context: ANN })).status).toBe(200);
  });
});

describe("refusals", () => {
  it.each([
    ["not JSON", "{", 400, "PARSE_ERROR"],
    ["empty", "", 400, "PARSE_ERROR"],
    ["a list", "[]", 400, "INVALID_CONTEXT"],
    ["null", "null", 400, "INVALID_CONTEXT"],
    ["a context that is none", '{"context":"ann"}', 400, "INVALID_CONTEXT"],
    ["a null context", '{"context":null}', 400, "INVALID_CONTEXT"],
    ["a unit that is none", '{"context":{"targetingKey":{}}}', 400, "INVALID_CONTEXT"],
    ["nested without end", `{"context":{"a":${"[".repeat(200)}${"]".repeat(200)}}}`, 400, "INVALID_CONTEXT"],
    ["too large", `{"context":{"a":"${"x".repeat(1_100_000)}"}}`, 413, "GENERAL"],
  ])("a body that is %s: in the protocol's words, at both doors", async (_, body, status, errorCode) => {
    for (const [path, key] of [
      [FLAGS, ""],
      [`${FLAGS}/a/b`, "a/b"],
    ] as const) {
      const said = await post(path, body);
      expect([said.status, said.headers["content-type"]]).toEqual([status, "application/json; charset=utf-8"]);
      expect(said.body).toMatchObject({ key, errorCode, status, errorDetails: expect.any(String), code: expect.any(String) });
    }
  });

  it("asks for nobody in particular where there is no context", async () => {
    expect((await post(`${FLAGS}/count`, {})).body.value).toBe(40.5);
  });

  it("another content type, another mode of defaults", async () => {
    expect(await post(FLAGS, "context", { "content-type": "text/plain" })).toMatchObject({ status: 415 });
    const mode = await all(ANN, { "belay-defaults": "maybe" });
    expect([mode.status, mode.body.allowed]).toEqual([400, ["valueless", "error", "omit"]]);
  });

  it("who is nobody gets 401, who holds an access token 403; X-API-Key is as good as Bearer", async () => {
    for (const path of [FLAGS, `${FLAGS}/count`]) {
      expect((await post(path, {}, {}, "nobody")).status).toBe(401);
      expect((await post(path, {}, {}, server.adminToken)).status).toBe(403);
      const keyed = { method: "POST", url: path, payload: { context: ANN } } as const;
      expect((await server.app.inject({ ...keyed, headers: { "x-api-key": serverKey } })).statusCode).toBe(200);
      expect((await server.app.inject({ ...keyed, headers: { "x-api-key": "nobody" } })).statusCode).toBe(401);
      expect((await server.app.inject(keyed)).statusCode).toBe(401);
    }
  });

  it("a key that asks too often hears 429 with Retry-After, and is heard again a second later", async () => {
    for (let n = 0; n < 100; n += 1) expect((await one("count")).status).toBe(200);
    const refused = await one("count");
    expect([refused.status, refused.headers["retry-after"], refused.body.errorCode]).toEqual([429, "1", "GENERAL"]);
    expect((await all(ANN, {}, clientKey)).status).toBe(200);
    server.clock.now += 1_000;
    expect((await one("count")).status).toBe(200);
  });

  it("a fault of the server is 500 with key and errorCode", async () => {
    const { clock } = server;
    Object.defineProperty(clock, "now", {
      configurable: true,
      get: () => {
        throw new Error("no clock");
      },
    });
    const said = await one("nowhere");
    Object.defineProperty(clock, "now", { value: 0 });
    expect([said.status, said.body.key, said.body.errorCode]).toEqual([500, "nowhere", "GENERAL"]);
  });
});

it("pages of any origin may ask, with the headers of the protocol", async () => {
  const origin = "https://shop.example";
  const preflight = await server.app.inject({
    method: "OPTIONS",
    url: `${FLAGS}/a/b`,
    headers: {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,content-type,if-none-match,x-api-key",
    },
  });
  expect([preflight.statusCode, preflight.headers["access-control-allow-origin"]]).toEqual([204, "*"]);
  expect(preflight.headers["access-control-allow-headers"]).toBe("authorization,content-type,if-none-match,x-api-key");
  expect((await all(ANN, { origin })).headers["access-control-expose-headers"]).toBe("etag, retry-after");
});

describe("the URL of the stream", () => {
  it("holds a token that ends, and no key", async () => {
    const { body } = await all();
    expect(body.eventStreams).toEqual([
      { type: "sse", endpoint: { requestUri: expect.stringMatching(/^\/ofrep\/v1\/stream\?token=/) }, inactivityDelaySec: 120 },
    ]);
    expect(streamUrlOf({ body } as Answer)).not.toContain(serverKey.split("_").at(-1));
  });

  it.each([
    ["/belay", "/belay"],
    ["/apps/flags/", "/apps/flags"],
    ["/outer, /inner", "/outer/inner"],
    ["//elsewhere.example", ""],
    ["https://elsewhere.example", ""],
    ["/a b", ""],
  ])("begins with the path a proxy says it took off: %s gives %s", async (said, prefix) => {
    const answer = await all(ANN, { "x-forwarded-prefix": said });
    expect(streamUrlOf(answer).split("/ofrep/")[0]).toBe(prefix);
    // Who comes another way must not go on with this one's URL.
    expect((await all(ANN, { "if-none-match": tagOf(answer) })).status).toBe(prefix === "" ? 304 : 200);
  });

  it("is not opened by another text, after the token's end, or once the key is revoked", async () => {
    const url = streamUrlOf(await all());
    const get = async (path: string): Promise<number> => (await server.ask("GET", path)).status;
    const [, token = ""] = /token=([^&]+)/.exec(url) ?? [];
    const [id, end, signature = ""] = token.split(".");
    const later = (Number.parseInt(end as string, 36) + 3_600_000).toString(36);
    const flipped = `${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`;
    for (const forged of ["", "x", `${id}.${later}.${signature}`, `${id}.${end}.${flipped}`, serverKey]) {
      expect([forged, await get(`/ofrep/v1/stream?token=${forged}`)]).toEqual([forged, 401]);
    }
    server.clock.now += 2 * TOKEN_WINDOW_MS;
    expect(await get(url)).toBe(401);
    const fresh = streamUrlOf(await all());
    await server.ask("DELETE", `${P}/keys/${readSecret(serverKey)?.id}`);
    expect(await get(fresh)).toBe(401);
  });

  it("comes again before its token ends: the tag turns with the window, so nobody goes on with an old one", async () => {
    const first = await all();
    server.clock.now += TOKEN_WINDOW_MS;
    const later = await all(ANN, { "if-none-match": tagOf(first) });
    expect([later.status, streamUrlOf(later) === streamUrlOf(first)]).toEqual([200, false]);
  });

  it("is in no log line", async () => {
    const lines: string[] = [];
    const logged = await testServer({ logger: { level: "trace", stream: { write: (line) => void lines.push(line) } } });
    const bulk = await logged.ask("POST", FLAGS, {}, { as: logged.sdkKeys["production"] as string });
    const [, token = ""] = /token=([^&]+)/.exec(streamUrlOf(bulk)) ?? [];
    await logged.ask("GET", `/ofrep/v1/stream?revision=1&token=${token}x`);
    await logged.close();
    expect(lines.filter((line) => line.includes("/ofrep/v1/stream"))).toHaveLength(1);
    expect(lines.filter((line) => line.includes(token))).toEqual([]);
  });
});

describe("the stream", () => {
  const open = async (headers = {}): Promise<{ reader: Reader; address: string }> => {
    const origin = await server.app.listen({ host: "127.0.0.1", port: 0 });
    const address = `${origin}${streamUrlOf(await all())}`;
    return { reader: await readEvents(address, headers), address };
  };
  const change = () => server.ask("PUT", `${E}/flags/count/enabled`, { enabled: false });

  it("says when to ask again, once a change, with an id to go on from; heartbeats between", async () => {
    const { reader } = await open();
    expect([reader.status, reader.headers["content-type"]]).toEqual([200, "text/event-stream; charset=utf-8"]);
    await change();
    const [first] = await reader.until(1);
    const now = await revision();
    const data = { type: "refetchEvaluation", etag: `"${now}"`, lastModified: server.clock.now / 1_000 };
    expect(first).toMatchObject({ event: "message", id: now, data });
    expect([reader.retries.length, reader.events.length]).toEqual([1, 1]);
    await expect.poll(() => reader.heartbeats.at(-1)?.text, { timeout: 10_000 }).toBe(`revision ${now}`);
    reader.request.destroy();
  });

  it("says so at once to who missed a change: since the answer that named it, or since Last-Event-ID", async () => {
    const { reader, address } = await open();
    await change();
    const now = await revision();
    const late = await readEvents(address);
    expect((await late.until(1)).map(({ id }) => id)).toEqual([now]);
    const resumed = await readEvents(address, { "last-event-id": String(now) });
    await server.ask("PUT", `${E}/flags/count/enabled`, { enabled: true });
    expect((await resumed.until(1)).map(({ id }) => id)).toEqual([now + 1]);
    for (const { request } of [reader, late, resumed]) request.destroy();
  });

  it("is cut when its key is revoked", async () => {
    const { reader } = await open();
    await server.ask("DELETE", `${P}/keys/${readSecret(serverKey)?.id}`);
    expect(await reader.ended).toBe("cut");
  });
});

describe("exposures", () => {
  const stored = (): unknown[] => batches.flatMap(({ exposures }) => exposures.map(({ unit, experiment }) => [unit, experiment]));

  it("of single evaluations are recorded once a unit; asking for all flags records none", async () => {
    for (const targetingKey of ["ann", "bob", "ann", "cy"]) await one("pricing", { targetingKey });
    await one("count");
    await all({ targetingKey: "dan" });
    await server.app.close();
    expect(stored()).toEqual(["ann", "bob", "cy"].map((unit) => [unit, "pricing-test"]));
    const [{ exposures, ...head } = {} as IncomingBatch] = batches;
    expect(head).toMatchObject({ project: "default", environment: "production", sdk: "ofrep/0.1.0", clockOffsetMs: 0 });
    expect(exposures.map(({ seq }) => seq)).toEqual([1, 2, 3]);
    const arms = batches.flatMap(({ ledger }) => ledger);
    expect(arms.reduce((sum, { produced }) => sum + produced, 0)).toBe(3);
    const counts = batches.flatMap(({ counts: made }) => made).filter(({ flag }) => flag === "pricing");
    expect(counts.reduce((sum, { count }) => sum + count, 0)).toBe(4);
  });

  it("wait while the store is full, and no answer waits for them", async () => {
    storeFault = new ProblemError("spool_full", { limit: 0 });
    expect((await one("pricing")).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(stored()).toEqual([]);
    storeFault = undefined;
    await expect.poll(stored, { timeout: 20_000 }).toEqual([["ann", "pricing-test"]]);
  });
});
