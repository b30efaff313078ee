import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, it } from "vitest";
import { E, P, type TestServer, testServer } from "../app.fixture.ts";
import { bestEncoding } from "./encoding.ts";

let server: TestServer;
let key: string;
beforeAll(async () => {
  server = await testServer();
  key = server.sdkKeys["production"] as string;
  for (const flag of ["a", "b", "c"]) await server.ask("POST", `${P}/flags`, { key: flag });
});
afterAll(() => server.close());

const raw = (encoding: string) =>
  server.app.inject({ url: "/sdk/v1/snapshot", headers: { authorization: `Bearer ${key}`, "accept-encoding": encoding } });

it("is the same in every encoding, each made once per revision", async () => {
  const [plain, gzip, br] = [await raw("identity"), await raw("gzip"), await raw("gzip, br")];
  expect([plain, gzip, br].map(({ headers }) => headers["content-encoding"])).toEqual([undefined, "gzip", "br"]);
  expect(gunzipSync(gzip.rawPayload).toString()).toBe(plain.body);
  expect(brotliDecompressSync(br.rawPayload).toString()).toBe(plain.body);
  expect(plain.json()).toMatchObject({ format: 1, project: "default", environment: "production", revision: 4 });
  expect(plain.headers["cache-control"]).toBe("private, no-cache");
});

it("answers 304 to the revision of now and the new one after a change", async () => {
  const first = await server.ask("GET", "/sdk/v1/snapshot", undefined, { as: key });
  const again = (etag: unknown) =>
    server.ask("GET", "/sdk/v1/snapshot", undefined, { as: key, headers: { "if-none-match": String(etag) } });
  expect(first.headers.etag).toBe(`"${first.body.revision}"`);
  const same = await again(first.headers.etag);
  expect([same.status, same.text, same.headers.etag]).toEqual([304, "", first.headers.etag]);
  expect((await again(`W/${first.headers.etag}`)).status).toBe(304);
  await server.ask("PUT", `${E}/flags/a/rollout`, { percentage: 3 });
  const next = await again(first.headers.etag);
  expect([next.status, next.body.revision]).toEqual([200, first.body.revision + 1]);
});

it("carries only the spaces that draws use", async () => {
  await server.ask("PUT", `${E}/flags/b`, { enabled: true, rules: [{ id: "r", serve: { weights: { on: 50, off: 50 } } }] });
  const { flags } = (await server.ask("GET", "/sdk/v1/snapshot", undefined, { as: key })).body;
  expect(Object.keys(flags.b.spaces)).toEqual(["split"]);
  expect(flags.c.spaces).toBeUndefined();
});

it("is the environment's own", async () => {
  const { body } = await server.ask("GET", "/sdk/v1/snapshot", undefined, { as: server.sdkKeys["staging"] as string });
  expect([body.environment, body.flags.a.rules]).toEqual(["staging", []]);
});

it.each([
  [undefined, "identity"],
  ["gzip", "gzip"],
  ["gzip;q=0, br;q=0", "identity"],
  ["gzip;q=0.5, br;q=0.1", "br"],
  ["*", "br"],
  ["deflate", "identity"],
  ["BR", "br"],
])("takes %s as %s", (header, encoding) => {
  expect(bestEncoding(header)).toBe(encoding);
});
