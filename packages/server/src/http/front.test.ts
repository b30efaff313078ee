import { getRandomValues } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { Registry } from "prom-client";
import { afterEach, expect, it, vi } from "vitest";
import { testServer } from "../app.fixture.ts";
import { bareApp } from "./bare-app.ts";
import type { ReadyDoor } from "./front.ts";

type App = ReturnType<typeof bareApp>;

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** An app whose route says "route" and whose front says what `door` says. */
async function listening(
  door: ReadyDoor,
  level = "warn",
  more: (app: App) => void = () => {},
): Promise<{ app: App; url: string; lines: string[] }> {
  const lines: string[] = [];
  const app = bareApp({
    fillRandom: (bytes) => getRandomValues(bytes),
    logger: { level, stream: { write: (line) => void lines.push(line) } },
  });
  app.front.put("/x", door);
  app.get("/x", async (_, reply) => reply.type("text/plain").send("route"));
  more(app);
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  closers.push(() => app.close());
  return { app, url, lines };
}

const READY: ReadyDoor = () => ({ status: 200, headers: ["content-length", "5"], body: Buffer.from("ready") });
const said = async (url: string): Promise<string> => (await fetch(url)).text();

it("answers what is ready at its path, and nothing else", async () => {
  const asked: unknown[] = [];
  const { url } = await listening((headers) => {
    asked.push(headers["x-who"]);
    return headers["x-who"] === "me" ? READY(headers) : undefined;
  });
  const me = { headers: { "x-who": "me" } };
  const answers = [];
  for (const [path, how] of [
    ["x", me],
    ["x", {}],
    ["x?y", me],
    ["y", me],
  ] as const)
    answers.push(await (await fetch(`${url}/${path}`, how)).text());
  expect(answers).toEqual(["ready", "route", "route", expect.stringContaining("route_not_found")]);
  expect(asked).toEqual(["me", undefined]);
});

it("leaves a request to the framework whose door fails", async () => {
  const { url } = await listening(() => {
    throw new Error("a door that fails");
  });
  expect(await said(`${url}/x`)).toBe("route");
});

it("leaves all to the framework where each request is logged", async () => {
  const { url, lines } = await listening(READY, "info");
  expect(await said(`${url}/x`)).toBe("route");
  expect(lines.filter((line) => line.includes("request completed"))).toHaveLength(1);
});

it("leaves all to the framework once the server closes, which then answers and closes the connection", async () => {
  const slow = { entered: (): void => {}, release: (): void => {} };
  const entered = new Promise<void>((resolve) => {
    slow.entered = resolve;
  });
  const { app, url } = await listening(READY, "warn", (making) =>
    making.get("/slow", (_, reply) => {
      slow.release = () => void reply.send("slow");
      slow.entered();
    }),
  );
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  const ask = (path: string): boolean => socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
  ask("/x");
  ask("/slow");
  await entered;
  const closing = app.close();
  await vi.waitFor(() => expect(app.server.listening).toBe(false));
  // A connection that waits for an answer outlives the closing so far.
  const third = once(app.server, "request");
  ask("/x");
  await third;
  slow.release();
  const text = Buffer.concat(await socket.toArray()).toString();
  await closing;
  expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 200", "HTTP/1.1 200"]);
  expect(text.match(/ready|slow|route/g)).toEqual(["ready", "slow", "route"]);
  expect(text.match(/connection: .*/gi)).toEqual(["Connection: keep-alive", "Connection: keep-alive", "Connection: close"]);
});

it("counts what it answers as answers of the route", async () => {
  const registry = new Registry();
  const server = await testServer({ meters: { registry, isOpenHere: true } });
  closers.push(() => server.close());
  const url = await server.app.listen({ host: "127.0.0.1", port: 0 });
  const headers = { authorization: `Bearer ${server.sdkKeys["production"]}`, "accept-encoding": "identity" };
  for (let i = 0; i < 5; i += 1) await (await fetch(`${url}/sdk/v1/snapshot`, { headers })).text();
  const text = await registry.metrics();
  expect(text).toContain('belay_http_requests_total{method="GET",route="/sdk/v1/snapshot",status="2xx"} 5');
  expect(text).toContain('belay_http_request_seconds_count{route="/sdk/v1/snapshot"} 5');
});
