import { connect } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { E, P, type TestServer, testServer } from "../app.fixture.ts";
import { JSON_DEPTH_MAX, parseJsonBody } from "./json-body.ts";

let server: TestServer;
let port: number;
beforeAll(async () => {
  server = await testServer({ requestTimeoutMs: 300 });
  port = Number(new URL(await server.app.listen({ host: "127.0.0.1", port: 0 })).port);
  await server.ask("POST", `${P}/flags`, { key: "a" });
});
afterAll(() => server.close());

/** Sends raw bytes and resolves with all that comes back. */
const send = (...pieces: readonly string[]): Promise<string> =>
  new Promise((resolve) => {
    let answer = "";
    const socket = connect(port, "127.0.0.1");
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      answer += chunk;
    });
    socket.on("error", () => undefined);
    socket.once("close", () => resolve(answer));
    for (const piece of pieces) socket.write(piece);
  });

describe("fault 51: a client that is slow or speaks no HTTP", () => {
  it("gets 408 as a problem after the time it has", async () => {
    const startedMs = performance.now();
    const head = `PUT ${E}/flags/a/rollout HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${server.adminToken}\r\ncontent-type: application/json\r\n`;
    const answer = await send(head, "content-length: 100\r\n\r\n{");
    expect(answer).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\ncontent-type: application\/problem\+json/);
    expect(JSON.parse(answer.split("\r\n\r\n")[1] ?? "")).toMatchObject({ code: "request_timeout" });
    expect(performance.now() - startedMs).toBeLessThan(5_000);
  });

  it("is cut off after one answer when it was answered before its body was there", async () => {
    const head = `POST ${P}/flags HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{`;
    const answer = await send(head);
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 401"]);
  });

  it("costs the others nothing: 60 send a byte now and then, and each of 200 requests besides is answered", async () => {
    const slow = Array.from({ length: 60 }, async () => {
      const socket = connect(port, "127.0.0.1");
      const chunks: string[] = [];
      socket.setEncoding("utf8").on("data", (chunk: string) => void chunks.push(chunk));
      socket.on("error", () => undefined);
      socket.write(`POST ${P}/flags HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${server.adminToken}\r\n`);
      socket.write("content-type: application/json\r\ncontent-length: 1000\r\n\r\n{");
      const drip = setInterval(() => socket.write(" "), 50);
      await new Promise((resolve) => socket.once("close", resolve));
      clearInterval(drip);
      return chunks.join("").split("\r\n", 1)[0];
    });
    const url = `http://127.0.0.1:${port}${P}/flags`;
    const headers = { authorization: `Bearer ${server.adminToken}` };
    const statuses: number[] = [];
    for (let request = 0; request < 200; request += 1) {
      const answer = await fetch(url, { headers });
      await answer.arrayBuffer();
      statuses.push(answer.status);
    }
    expect(statuses.filter((status) => status === 200)).toHaveLength(200);
    expect(new Set(await Promise.all(slow))).toEqual(new Set(["HTTP/1.1 408 Request Timeout"]));
  });

  it.each([
    ["nonsense", "hello\r\n\r\n"],
    ["a head too large", `GET / HTTP/1.1\r\nhost: x\r\nx: ${"y".repeat(20_000)}\r\n\r\n`],
  ])("gets 400 for %s", async (_, text) => {
    const answer = await send(text);
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request/);
    expect(JSON.parse(answer.split("\r\n\r\n")[1] ?? "")).toMatchObject({ code: "malformed_request" });
  });
});

describe("fault 51: a body that is too much", () => {
  const door = (path: string, body: string, as?: string): ReturnType<TestServer["ask"]> =>
    server.ask("POST", path, body, as === undefined ? {} : { as });

  it.each([
    ["10 MB", () => `{"key":"${"x".repeat(10_000_000)}"}`, 413, "body_too_large"],
    ["a list of a million", () => `{"key":"b","tags":[${"1,".repeat(999_999)}1]}`, 413, "body_too_large"],
    ["a list of as many as fit", () => `{"key":"b","tags":[${"1,".repeat(500_000)}1]}`, 422, "invalid_field"],
    ["an object of as many names as fit", () => `{${names(80_000)}}`, 422, "unknown_field"],
    ["100,000 lists in each other", () => "[".repeat(100_000) + "]".repeat(100_000), 422, "limit_exceeded"],
    ["100,000 lists never closed", () => "[".repeat(100_000), 400, "invalid_json"],
  ] as const)("%s is refused, and nothing is made", async (_, body, status, code) => {
    const { revision } = server.control.workspace;
    const answer = await door(`${P}/flags`, body());
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(answer.text.length).toBeLessThan(2_000);
    expect(server.control.workspace.revision).toBe(revision);
  });

  it("so it is at the doors of SDKs", async () => {
    const key = server.sdkKeys["production"] as string;
    const statuses = [];
    for (const body of [
      `{"context":{"a":[${"1,".repeat(999_999)}1]}}`,
      `{"context":${"[".repeat(100_000)}${"]".repeat(100_000)}}`,
    ]) {
      statuses.push((await door("/ofrep/v1/evaluate/flags", body, key)).status);
    }
    expect(statuses).toEqual([413, expect.toSatisfy((status: number) => status === 400 || status === 422)]);
  });

  const names = (count: number): string => Array.from({ length: count }, (_, at) => `"n${at}":1`).join(",");
});

describe("fault 49: names and values that a browser might run", () => {
  const HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "\u202Egpj.exe",
    "<script>alert(1)</script>",
    "x".repeat(10_000),
  ];

  it("come back as JSON text that no browser takes for a page, or are refused", async () => {
    const taken: string[] = [];
    for (const [index, text] of HOSTILE.entries()) {
      const body = { key: `hostile-${index}`, description: text, owner: text, tags: [text], variants: { on: true, off: false } };
      const made = await server.ask("POST", `${P}/flags`, body);
      const read = await server.ask("GET", `${P}/flags/hostile-${index}`);
      for (const { headers } of [made, read]) {
        expect(headers["content-type"]).toMatch(/^application\/(problem\+)?json/);
        expect(headers["x-content-type-options"]).toBe("nosniff");
      }
      if (made.status === 201) expect(read.body).toMatchObject({ description: text, owner: text, tags: [text] });
      taken.push(`${made.status} ${read.status}`);
    }
    expect(taken.every((statuses) => ["201 200", "422 404"].includes(statuses))).toBe(true);
    expect(taken.at(-1)).toBe("422 404");
  });

  it("a path is quoted as text", async () => {
    const answer = await server.ask("GET", "/<script>alert(1)</script>");
    expect([answer.status, answer.headers["content-type"]]).toEqual([404, "application/problem+json; charset=utf-8"]);
  });

  it("the policy lets nothing of others and nothing inline run, and the API's own pages live under it", async () => {
    const page = await server.ask("GET", "/docs/");
    const policy = String(page.headers["content-security-policy"]);
    expect(policy.split(";")).toEqual(
      expect.arrayContaining(["default-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"]),
    );
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect(page.text).toMatch(/<html/);
    expect(page.text.match(/<script(?![^>]*\bsrc=)|<style|\bstyle="|\bon\w+="/g)).toBeNull();
    const files = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file = ""]) => new URL(file, "http://x/docs/"));
    expect(files.length).toBeGreaterThan(3);
    const statuses = await Promise.all(files.map(async ({ pathname }) => (await server.ask("GET", pathname)).status));
    expect([new Set(files.map(({ host }) => host)), new Set(statuses)]).toEqual([new Set(["x"]), new Set([200])]);
  });
});

describe("a request that is not meant as it is written", () => {
  it.each([
    ["POST", `${E}/flags/a/rollout`, "GET, HEAD, PUT"],
    ["DELETE", `${P}/flags/a`, "GET, HEAD, PATCH"],
    ["GET", `${P}/flags/a/archive`, "POST"],
    ["PUT", "/docs/json", "GET, HEAD"],
    ["DELETE", `${P}/flags/a/archives`, undefined],
    ["PUT", `${E}/flags/a/rollouts`, undefined],
  ] as const)("%s %s is told the methods there are: %s", async (method, path, allow) => {
    const { status, headers, body } = await server.ask(method, path);
    const told = allow === undefined ? [404, undefined, "route_not_found"] : [405, allow, "method_not_allowed"];
    expect([status, headers["allow"], body.code]).toEqual(told);
    expect(body.allowed).toEqual(allow?.split(", "));
  });

  it("is refused with a query that its route does not know, and changes nothing", async () => {
    const { revision } = server.control.workspace;
    const { status, body } = await server.ask("PUT", `${E}/flags/a/rollout?dryRun=true`, { percentage: 90 });
    expect([status, body.code, body.field, body.allowed]).toEqual([422, "unknown_field", "dryRun", []]);
    expect(server.control.workspace.revision).toBe(revision);
  });

  it.each([
    ["POST", `${P}/flags/a/archive`, undefined, "body", "it is missing; send `{}` where there is nothing to say"],
    ["PUT", `${E}/flags/a/rollout`, [50], "body", "expected object"],
    ["POST", `${E}/flags/a/preview`, {}, "body", "it has none of the forms allowed here"],
    ["POST", `${P}/flags`, {}, "key", "it is missing"],
    ["POST", `${P}/flags`, { key: "x", kind: "Release" }, "kind", "it is none of the values in `allowed`"],
    ["GET", `${P}/flags?stale=yes`, undefined, "stale", "it has none of the forms allowed here"],
  ] as const)("%s %s with %j is told that of %s %s", async (method, path, sent, field, reason) => {
    const { body } = await server.ask(method, path, sent);
    expect(body).toMatchObject({ status: 422, code: "invalid_field", field, reason });
    expect(body.detail).toBe(`\`${field}\` is not valid: ${reason}.`);
  });

  it("is told the forms there are", async () => {
    const allowed = async (method: string, path: string, body?: object): Promise<unknown> =>
      (await server.ask(method, path, body)).body.allowed;
    expect(await allowed("POST", `${E}/flags/a/preview`, {})).toEqual(expect.arrayContaining(["targeting", "rollout"]));
    expect(await allowed("GET", `${P}/flags?stale=yes`)).toEqual(["any", "full", "unseen", "overdue", "asked-for"]);
  });

  it.each([".", ".."])("has no thing with the key %s, which addresses leave out", async (key) => {
    for (const path of ["/api/v1/projects", `${P}/flags`, `${P}/environments`])
      expect((await server.ask("POST", path, { key })).body).toMatchObject({ status: 422, code: "invalid_key", field: "key" });
    expect((await server.ask("POST", `${P}/flags`, { key: `..${key}` })).status).toBe(201);
  });
});

describe("a JSON body", () => {
  it("keeps names that JavaScript finds special as ordinary ones", () => {
    const body = parseJsonBody('{"__proto__": {"x": 1}, "constructor": 2}') as Record<string, unknown>;
    expect(Object.keys(body)).toEqual(["__proto__", "constructor"]);
    expect(Object.getPrototypeOf(body)).toBe(Object.prototype);
    expect(({} as { x?: number }).x).toBeUndefined();
  });

  it.each([
    ['{"a": {"b": [1, 1e999]}}', "invalid_field", "a.b[1]"],
    ['{"percentage": -1e999}', "invalid_percentage", "percentage"],
    ["[".repeat(JSON_DEPTH_MAX + 1) + "]".repeat(JSON_DEPTH_MAX + 1), "limit_exceeded", undefined],
    ["{", "invalid_json", undefined],
  ])("%.30s is refused", (text, code, field) => {
    expect(() => parseJsonBody(text)).toThrow(
      expect.objectContaining({ code, ...(field === undefined ? {} : { data: expect.objectContaining({ field }) }) }),
    );
  });

  it("may nest as deep as a definition may", () => {
    const text = "[".repeat(JSON_DEPTH_MAX) + "]".repeat(JSON_DEPTH_MAX);
    expect(JSON.stringify(parseJsonBody(text))).toBe(text);
  });
});

it("whatever is sent to whatever route: never a fault of the server, always a problem or an answer", async () => {
  const routes = [
    ["POST", `${P}/flags`],
    ["PATCH", `${P}/flags/a`],
    ["PUT", `${E}/flags/a`],
    ["PUT", `${E}/flags/a/rollout`],
    ["PUT", `${E}/flags/a/enabled`],
    ["POST", `${P}/segments`],
    ["POST", `${P}/keys`],
    ["POST", "/api/v1/tokens"],
    ["POST", "/api/v1/projects"],
    ["POST", `${P}/environments`],
    ["POST", `${E}/explain`],
  ] as const;
  const names = [
    "key",
    "type",
    "variants",
    "rules",
    "when",
    "serve",
    "split",
    "draws",
    "weights",
    "tracks",
    "all",
    "flag",
    "context",
    "enabled",
  ];
  const json = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 6, withCrossShrink: true },
      fc.constantFrom(null, true, false, 0, 1, -1, 0.5, "a", "on", "", "share", "__proto__"),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(fc.oneof(fc.constantFrom(...names), fc.string()), tie("value"), { maxKeys: 5 }),
    ),
  })).value;
  const answers: number[] = [];
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...routes), json, async ([method, path], body) => {
      const { status, headers, body: answer } = await server.ask(method, path, JSON.stringify(body));
      answers.push(status);
      expect(status).toBeLessThan(500);
      if (status >= 400)
        expect([answer.status, String(headers["content-type"])]).toEqual([status, "application/problem+json; charset=utf-8"]);
    }),
    { numRuns: 1_000 },
  );
  expect(answers).toHaveLength(1_000);
});
