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

  it.each([
    ["nonsense", "hello\r\n\r\n"],
    ["a head too large", `GET / HTTP/1.1\r\nhost: x\r\nx: ${"y".repeat(20_000)}\r\n\r\n`],
  ])("gets 400 for %s", async (_, text) => {
    const answer = await send(text);
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request/);
    expect(JSON.parse(answer.split("\r\n\r\n")[1] ?? "")).toMatchObject({ code: "malformed_request" });
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
