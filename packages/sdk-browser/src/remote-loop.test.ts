/* Asking and listening on a clock of its own: hours of trouble in milliseconds. What needs a browser is in remote.test.ts. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { BelayClient } from "./index.ts";
import { createRemoteClient } from "./remote.ts";

const BULK = {
  flags: [{ key: "vip", value: true, variant: "on", reason: "STATIC", metadata: {} }],
  metadata: { flagSetId: "default/production", version: "7" },
  eventStreams: [{ endpoint: { requestUri: "/ofrep/v1/stream?token=t&revision=7" } }],
};
const NOTICE = 'id: 8\ndata: {"type":"refetchEvaluation","etag":"\\"8\\"","lastModified":1}\n\n';

interface Asked {
  readonly path: string;
  readonly atMs: number;
  readonly tag: string | null;
}

let asked: Asked[];
let status: number;
/** What a stream says before it stays open; `undefined`: it ends at once. */
let says: string | undefined;
let isBeating: boolean;
let client: BelayClient;

const answer = (path: string, tag: string | null, signal: AbortSignal): Response => {
  if (status !== 200) return new Response("", { status });
  if (path.endsWith("/events")) return Response.json({ accepted: 0, duplicates: 0, rejected: [] });
  if (path.endsWith("/flags")) {
    if (tag === '"7-x"') return new Response(null, { status: 304 });
    return new Response(JSON.stringify(BULK), { headers: { etag: '"7-x"' } });
  }
  return new Response(streamOf(signal), { headers: { "content-type": "text/event-stream" } });
};

/** Says its words and then beats every 15 s, unless it is silent. */
function streamOf(signal: AbortSignal): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let beat: ReturnType<typeof setInterval> | undefined;
  return new ReadableStream({
    start(controller) {
      if (says === undefined) {
        controller.close();
        return;
      }
      controller.enqueue(encoder.encode(says));
      if (isBeating) beat = setInterval(() => controller.enqueue(encoder.encode(": revision 7\n\n")), 15_000);
      signal.addEventListener("abort", () => {
        clearInterval(beat);
        controller.error(signal.reason);
      });
    },
  });
}

beforeEach(() => {
  vi.useFakeTimers();
  [asked, status, says, isBeating] = [[], 200, ": hi\n\n", true];
  vi.stubGlobal("document", { hidden: false, addEventListener: () => {} });
  vi.stubGlobal("addEventListener", () => {});
  vi.stubGlobal("fetch", async (url: string, { headers = {}, signal }: RequestInit) => {
    const { pathname } = new URL(url);
    const tag = new Headers(headers).get("if-none-match");
    asked.push({ path: pathname, atMs: performance.now(), tag });
    return answer(pathname, tag, signal ?? new AbortController().signal);
  });
});
afterEach(async () => {
  const closed = client.close();
  await pass(10_000);
  await closed;
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function start(): void {
  client = createRemoteClient({ url: "http://flags.example.com/base/", clientKey: "k", logger: { warn: () => {} } });
}
const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
const bulks = (): Asked[] => asked.filter(({ path }) => path.endsWith("/flags"));
const mostInAMinute = (): number =>
  Math.max(...bulks().map(({ atMs }) => bulks().filter((other) => other.atMs >= atMs && other.atMs < atMs + 60_000).length));

describe("asking for answers", () => {
  it("asks below the server's own path, once, and is live as long as the stream is", async () => {
    start();
    await pass(20_000);
    expect(asked.map(({ path }) => path)).toEqual(["/base/ofrep/v1/evaluate/flags", "/base/ofrep/v1/stream"]);
    expect([client.state, client.isEnabled("vip"), client.revision]).toEqual(["live", true, 7]);
  });

  it("asks again when it is told of a change, and takes nothing it already has", async () => {
    says = NOTICE;
    start();
    await pass(90);
    says = ": hi\n\n";
    await pass(1_000);
    expect(bulks().length).toBeGreaterThanOrEqual(2);
    expect(bulks().map(({ tag }) => tag)).toEqual([
      null,
      ...bulks()
        .slice(1)
        .map(() => '"7-x"'),
    ]);
    expect([client.state, client.isEnabled("vip")]).toEqual(["live", true]);
  });

  it("fault 17: a server whose streams end at once is asked at most 12 times a minute", async () => {
    says = undefined;
    start();
    await pass(600_000);
    expect(bulks().length).toBeGreaterThan(20);
    expect(mostInAMinute()).toBeLessThanOrEqual(12);
    expect([client.state, client.isEnabled("vip")]).toEqual(["live", true]);
  });

  it.each([401, 403, 404, 429, 500, 503])("fault 18: after an hour of %i it is back within 5 minutes", async (code) => {
    status = code;
    start();
    await pass(3_600_000);
    expect(mostInAMinute()).toBeLessThanOrEqual(12);
    expect([client.state, client.isEnabled("vip")]).toEqual(["starting", false]);
    status = 200;
    await pass(300_000);
    expect([client.state, client.isEnabled("vip")]).toEqual(["live", true]);
  });

  it("fault 19: gives a silent stream up after two heartbeats", async () => {
    isBeating = false;
    start();
    await pass(45_000);
    expect(bulks()).toHaveLength(2);
  });
});
