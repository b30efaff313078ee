import { get, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { type TempDir, tempDir } from "@belay/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { P, type TestServer, testServer } from "../app.fixture.ts";
import { exposureOf, metricOf } from "../store/events/events.fixture.ts";
import { type EventStore, openEventStore } from "../store/events/index.ts";
import { eventDoors } from "./routes.ts";

let folder: TempDir;
let events: EventStore;
let server: TestServer;
let open: IncomingMessage[];

beforeEach(async () => {
  folder = await tempDir("tail");
  events = await openEventStore({ directory: folder.path, database: "here", segmentAgeMs: 50 });
  const tails = { tailsMax: 2, lifeMs: 2_500 };
  server = await testServer({ doors: [(access) => eventDoors({ access, events, hasEnvironment: () => true, tails })] });
  await server.app.listen({ host: "127.0.0.1", port: 0 });
  open = [];
});
afterEach(async () => {
  for (const response of open) response.destroy();
  await server.close();
  await events.close();
  await folder.remove();
});

function watch(query = "", as = server.adminToken): Promise<IncomingMessage> {
  const { port } = server.app.server.address() as AddressInfo;
  const headers = { authorization: `Bearer ${as}` };
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, path: `${P}/events/tail${query}`, headers, agent: false }, (response) => {
      open.push(response);
      response.once("error", () => undefined);
      resolve(response);
    }).once("error", reject);
  });
}

interface Shown {
  readonly event: string;
  readonly data: Record<string, unknown>;
}

/** What a watcher was shown so far; the list grows. */
function shown(response: IncomingMessage): Shown[] {
  const list: Shown[] = [];
  let text = "";
  response.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
    for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n")) {
      const match = /^event: (.+)\ndata: (.+)$/.exec(text.slice(0, end));
      if (match !== null) list.push({ event: match[1] ?? "", data: JSON.parse(match[2] ?? "") as Record<string, unknown> });
      text = text.slice(end + 2);
    }
  });
  return list;
}

let batches = 0;
async function send(parts: object, environment = "production"): Promise<void> {
  batches += 1;
  const body = { batchId: `b${batches}`, sentAtMs: 1, sdk: "t/1", instance: `i${batches}`, ...parts };
  const answer = await server.ask("POST", "/sdk/v1/events", body, { as: server.sdkKeys[environment] as string });
  expect(answer.status).toBe(202);
}

test("an event is shown as it comes in, with its attributes, and only if it fits", async () => {
  const list = shown(await watch("?flag=checkout&environment=production"));
  const metrics = shown(await watch("?kind=metric-events&name=purchase"));
  await send({ exposures: [exposureOf(1, { attributes: { country: "DE" } }), exposureOf(2, { flag: "other" })] });
  await send({ exposures: [exposureOf(1)] }, "staging");
  await send({ metrics: [metricOf(1, { value: 5 }), metricOf(2, { name: "visit" })] });
  await expect.poll(() => metrics.length, { timeout: 2_000 }).toBe(1);
  expect(list).toMatchObject([
    {
      event: "exposure",
      data: { environment: "production", flag: "checkout", unit: "user-1", attributes: { country: "DE" }, seq: 1, sdk: "t/1" },
    },
  ]);
  expect(metrics).toMatchObject([{ event: "metric-event", data: { name: "purchase", value: 5 } }]);
});

test("of 1,000 in a second 20 are shown and 980 are counted; the next second shows again", async () => {
  const list = shown(await watch());
  await send({ exposures: Array.from({ length: 1_000 }, (_, index) => exposureOf(index + 1)) });
  await expect.poll(() => list.at(-1)?.event, { timeout: 3_000 }).toBe("skipped");
  expect(list.filter(({ event }) => event === "exposure")).toHaveLength(20);
  expect(list.at(-1)?.data).toEqual({ count: 980 });
  await send({ exposures: [exposureOf(1)] });
  await expect.poll(() => list.filter(({ event }) => event === "exposure").length, { timeout: 2_000 }).toBe(21);
});

test("a watcher who does not read is cut, and events are taken in all the while: 40 batches of 2 MB acknowledged", async () => {
  const response = await watch("?perSecond=200");
  const cut = new Promise((resolve) => response.once("close", resolve));
  response.pause();
  const attributes = { text: "x".repeat(16_000) };
  for (let round = 0; round < 40; round += 1) {
    await send({ exposures: Array.from({ length: 120 }, (_, index) => exposureOf(index + 1, { attributes })) });
  }
  response.resume();
  await cut;
  expect(response.complete).toBe(false);
});

test("tails are bounded and end by themselves", async () => {
  const [first, second] = [await watch(), await watch()];
  const third = await watch();
  expect([first.statusCode, second.statusCode, third.statusCode]).toEqual([200, 200, 503]);
  const ended = [first, second].map((response) => new Promise((resolve) => response.resume().once("end", resolve)));
  await Promise.all(ended);
  expect((await watch()).statusCode).toBe(200);
});

test("who may not pull may not watch, nor filter by what is not there", async () => {
  const viewer = (await server.ask("POST", "/api/v1/tokens", { name: "t", role: "viewer" })).body.secret;
  const staging = (await server.ask("POST", "/api/v1/tokens", { name: "t", role: "analyst", environments: ["staging"] })).body
    .secret;
  expect((await watch("", viewer)).statusCode).toBe(403);
  expect((await watch("?environment=production", staging)).statusCode).toBe(404);
  expect((await watch("?name=x")).statusCode).toBe(422);
  const list = shown(await watch("", staging));
  await send({ exposures: [exposureOf(1)] });
  await send({ exposures: [exposureOf(1, { unit: "mine" })] }, "staging");
  await expect.poll(() => list.length, { timeout: 2_000 }).toBe(1);
  expect(list[0]?.data["unit"]).toBe("mine");
});
