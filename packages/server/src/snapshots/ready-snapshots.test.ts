import { type IncomingHttpHeaders, request } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { E, P, type TestServer, testServer } from "../app.fixture.ts";

const PATH = "/sdk/v1/snapshot";
type Headers = Readonly<Record<string, string>>;

interface Seen {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

let server: TestServer;
let port: number;
/** What went out in front of the framework. */
let inFront: string[];
let keys: Record<"server" | "client" | "remote" | "relay", string>;

beforeAll(async () => {
  server = await testServer();
  await server.app.listen({ host: "127.0.0.1", port: 0 });
  port = (server.app.server.address() as { port: number }).port;
  server.app.front.onAnswered((path, status) => inFront.push(`${path} ${status}`));
  const kinds = ["server", "client", "remote", "relay"] as const;
  const made = kinds.map(async (kind) => {
    const { body } = await server.ask("POST", `${P}/keys`, { environment: "production", kind, name: kind });
    return [kind, body.secret];
  });
  keys = Object.fromEntries(await Promise.all(made));
  for (const key of ["a", "b", "c"]) await server.ask("POST", `${P}/flags`, { key, clientSide: key !== "c" });
  // The first answer of each kind is made by the route.
  for (const as of [keys.server, keys.client]) {
    for (const encoding of ["identity", "gzip", "br"]) {
      await server.ask("GET", PATH, undefined, { as, headers: { "accept-encoding": encoding } });
    }
  }
});
afterAll(() => server.close());
beforeEach(() => {
  inFront = [];
});

/** Asks over a connection, as clients do. */
function overSocket(headers: Headers, { method = "GET", path = PATH, body = "" } = {}): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, path, method, headers, agent: false }, async (answer) => {
      const chunks: Buffer[] = await answer.toArray();
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) });
    });
    sent.on("error", reject).end(body === "" ? undefined : body);
  });
}

/** Asks the framework, with nothing in front of it. */
async function ofFramework(headers: Headers, { method = "GET", path = PATH, body = "" } = {}): Promise<Seen> {
  const asked = { method: method as "GET", url: path, headers, ...(body === "" ? {} : { payload: body }) };
  const { statusCode, headers: answered, rawPayload } = await server.app.inject(asked);
  return { status: statusCode, headers: answered as IncomingHttpHeaders, body: rawPayload };
}

/** Without what is of the connection or the clock, and without the request's own id. */
function comparable({ status, headers, body }: Seen): object {
  const { date: _, connection: _c, "keep-alive": _k, ...rest } = headers;
  const told = Object.entries(rest).map(([name, value]) => [name, String(value)]);
  return { status, headers: Object.fromEntries(told), body: body.toString("latin1").replace(/"requestId":"[^"]*"/, "") };
}

const bearer = (key: string): Headers => ({ authorization: `Bearer ${key}` });

describe("a ready snapshot", () => {
  const READY: readonly [string, () => Headers][] = [
    ["whole", () => bearer(keys.server)],
    ["whole, for pages", () => bearer(keys.client)],
    ["gzip", () => ({ ...bearer(keys.server), "accept-encoding": "gzip, deflate" })],
    ["brotli", () => ({ ...bearer(keys.client), "accept-encoding": "gzip, br;q=0.5" })],
    ["refusing gzip", () => ({ ...bearer(keys.server), "accept-encoding": "gzip;q=0" })],
    ["of another revision", () => ({ ...bearer(keys.server), "if-none-match": '"1"' })],
    ["unchanged", () => ({ ...bearer(keys.server), "if-none-match": '"4"' })],
    ["unchanged, by a weak tag among others", () => ({ ...bearer(keys.client), "if-none-match": 'W/"9", W/"4"' })],
    ["for another origin", () => ({ ...bearer(keys.client), origin: "https://shop.example", cookie: "a=b" })],
    ["by a scheme in small letters", () => ({ authorization: `bearer  ${keys.server} ` })],
  ];

  it.each(READY)("%s: is in front what the route answers, to the byte", async (_, headers) => {
    const [seen, expected] = [await overSocket(headers()), await ofFramework(headers())];
    expect(comparable(seen)).toEqual(comparable(expected));
    const isWhole = expected.status === 200;
    expect(seen.headers["access-control-allow-origin"]).toBe("*");
    expect([seen.headers["x-content-type-options"], seen.headers["content-security-policy"] !== undefined]).toEqual(
      isWhole ? ["nosniff", true] : [undefined, false],
    );
    expect(inFront).toEqual([`${PATH} ${expected.status}`]);
  });

  const LEFT: readonly [string, number, () => Headers, { method?: string; path?: string; body?: string }][] = [
    ["no key", 401, () => ({}), {}],
    ["a wrong key", 401, () => bearer(`${keys.server.slice(0, -1)}${keys.server.endsWith("a") ? "b" : "a"}`), {}],
    ["a token for people", 403, () => bearer(server.adminToken), {}],
    ["a key for answers alone", 403, () => bearer(keys.remote), {}],
    ["a relay's key", 403, () => bearer(keys.relay), {}],
    ["a query", 200, () => bearer(keys.server), { path: `${PATH}?a=1` }],
    ["a head alone", 200, () => bearer(keys.server), { method: "HEAD" }],
    ["a preflight", 204, () => ({ "access-control-request-headers": "authorization" }), { method: "OPTIONS" }],
    ["a method the path does not take", 405, () => bearer(keys.server), { method: "DELETE" }],
    ["a body", 200, () => ({ ...bearer(keys.server), "content-type": "text/plain", "content-length": "1" }), { body: "{" }],
  ];

  it.each(LEFT)("%s is left to the framework, which answers %i", async (_, status, headers, more) => {
    const [seen, expected] = [await overSocket(headers(), more), await ofFramework(headers(), more)];
    expect(seen.status).toBe(status);
    expect(comparable(seen)).toEqual(comparable(expected));
    expect(inFront).toEqual([]);
  });

  it("is made anew by the route after a change, once in each encoding", async () => {
    const before = await overSocket(bearer(keys.server));
    await server.ask("PUT", `${E}/flags/a/rollout`, { percentage: 3 });
    const etags: unknown[] = [];
    for (const encoding of ["identity", "identity", "gzip", "gzip"]) {
      const seen = await overSocket({ ...bearer(keys.server), "accept-encoding": encoding });
      expect(comparable(seen)).toEqual(comparable(await ofFramework({ ...bearer(keys.server), "accept-encoding": encoding })));
      etags.push(seen.headers.etag);
    }
    expect([before.headers.etag, ...etags]).toEqual(['"4"', '"5"', '"5"', '"5"', '"5"']);
    expect(inFront).toHaveLength(3);
  });

  it("is refused from the moment its key is revoked", async () => {
    const made = await server.ask("POST", `${P}/keys`, { environment: "production", kind: "server", name: "short" });
    expect((await overSocket(bearer(made.body.secret))).status).toBe(200);
    await server.ask("DELETE", `${P}/keys/${made.body.id}`);
    expect((await overSocket(bearer(made.body.secret))).status).toBe(401);
    expect(inFront).toEqual([`${PATH} 200`]);
  });

  it("counts as a use of its key", async () => {
    const made = await server.ask("POST", `${P}/keys`, { environment: "production", kind: "server", name: "new" });
    const lastUsedAt = async (): Promise<unknown> =>
      (await server.ask("GET", `${P}/keys`)).body.items.find(({ id }: { id: string }) => id === made.body.id).lastUsedAt;
    expect(await lastUsedAt()).toBeUndefined();
    await overSocket(bearer(made.body.secret));
    expect([inFront, await lastUsedAt()]).toEqual([[`${PATH} 200`], new Date(server.clock.now).toISOString()]);
  });
});
