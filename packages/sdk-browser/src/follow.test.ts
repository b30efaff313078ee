/* The loop on a clock of its own: hours of a lost server in milliseconds. What needs a browser is in browser.test.ts. */
import type { Snapshot, SnapshotChange } from "@belay/protocol";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Following, follow } from "./follow.ts";
import { changeOf, snapshotOf } from "./rules.fixture.ts";

type Answer = () => Response | Promise<Response>;

let answers: { stream: Answer; snapshot: Answer };
let asked: { readonly path: string; readonly atMs: number; readonly after: string | undefined }[];
let revision: number | undefined;
let said: string[];
/** Of the stream made last: what aborting a request breaks off. */
let open: ReadableStreamDefaultController<Uint8Array> | undefined;
let following: Following;

const status = (code: number, headers = {}): Answer => {
  return () => {
    throw Object.assign(new Error(`the server answered ${code}`), { status: code, ...headers });
  };
};
/** A stream that says this and then stays open, or ends. */
const streamOf =
  (texts: readonly string[], isEnding = false): Answer =>
  () => {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        open = controller;
        for (const text of texts) controller.enqueue(new TextEncoder().encode(text));
        if (isEnding) controller.close();
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  };
const message = (event: string, document: Snapshot | SnapshotChange): string =>
  `event: ${event}\nid: ${document.revision}\ndata: ${JSON.stringify(document)}\n\n`;
const snapshotMessage = (at: number): string => message("snapshot", snapshotOf(at, {}));
const json: Answer = () => new Response(JSON.stringify(snapshotOf(5, {})), { headers: { "content-type": "application/json" } });

function start(pollMs = 60_000): void {
  following = follow(
    async (path, { headers, signal }) => {
      asked.push({ path, atMs: performance.now(), after: (headers as Record<string, string>)["last-event-id"] });
      open = undefined;
      const answer = await answers[path as "stream" | "snapshot"]();
      const body = open as ReadableStreamDefaultController<Uint8Array> | undefined;
      return new Promise((resolve, reject) => {
        signal?.addEventListener("abort", () => {
          body?.error(signal.reason);
          reject(signal.reason);
        });
        resolve(answer);
      });
    },
    "key",
    pollMs,
    {
      held: () => revision,
      take: (document) => {
        if ("from" in document && document.from !== revision) return false;
        revision = Math.max(revision ?? 0, document.revision);
        return true;
      },
      confirmed: () => {},
      warn: (text) => said.push(text),
    },
  );
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("document", { hidden: false });
  [asked, said, revision] = [[], [], undefined];
  answers = { stream: status(503), snapshot: status(503) };
});
afterEach(() => {
  following.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
const mostInAMinute = (): number =>
  Math.max(...asked.map(({ atMs }) => asked.filter((other) => other.atMs >= atMs && other.atMs < atMs + 60_000).length));

describe("following a server in trouble", () => {
  it("fault 17: one that accepts and ends at once is asked at most 12 times a minute", async () => {
    answers.stream = streamOf([snapshotMessage(5)], true);
    answers.snapshot = json;
    start();
    await pass(600_000);
    expect(mostInAMinute()).toBeLessThanOrEqual(12);
    expect(revision).toBe(5);
  });

  it.each([401, 403, 404, 429, 500, 503])("fault 18: after an hour of %i it is back within 5 minutes", async (code) => {
    answers = { stream: status(code), snapshot: status(code) };
    start();
    await pass(3_600_000);
    expect(asked.length).toBeGreaterThan(10);
    expect(mostInAMinute()).toBeLessThanOrEqual(12);
    answers = { stream: streamOf([snapshotMessage(5)]), snapshot: json };
    await pass(300_000);
    expect(revision).toBe(5);
  });

  it("fault 18: comes back no sooner than asked, and at most a tenth later", async () => {
    answers.stream = status(503, { retryAfterMs: 40_000 });
    start();
    await pass(300_000);
    const gaps = asked.slice(1, 3).map(({ atMs }, at) => atMs - (asked[at]?.atMs ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(40_000);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(44_100);
  });

  it("fault 19: gives a silent stream up after two heartbeats, and goes on from what it holds", async () => {
    answers.stream = streamOf([snapshotMessage(5)]);
    start();
    await pass(29_000);
    expect(asked.length).toBe(1);
    await pass(12_000);
    expect(asked.map(({ after }) => after)).toEqual([undefined, "5"]);
  });

  it("fault 21: fetches the whole at once where a change does not fit, and once only", async () => {
    answers.stream = streamOf([snapshotMessage(5), message("change", changeOf(9, {}, 8))]);
    start();
    await pass(10);
    expect(asked.map(({ after }) => after)).toEqual([undefined, undefined]);
    await pass(5_000);
    expect(asked.length).toBe(2);
  });

  it("fault 21: is at once where a heartbeat says it should be", async () => {
    revision = 5;
    answers.stream = streamOf([": revision 5\n\n", ": revision 6\n\n"]);
    start();
    await pass(10);
    expect(asked.map(({ after }) => after)).toEqual(["5", "5"]);
  });

  it.each([
    ["a page of some proxy", () => new Response("<html>", { headers: { "content-type": "text/html" } })],
    ["a message that is cut", streamOf(['event: snapshot\ndata: {"format":1,"rev\n\n'])],
    ["another format", streamOf(['event: snapshot\ndata: {"format":2,"revision":9,"flags":{},"segments":{},"spaces":{}}\n\n'])],
  ])("fault 22: %s changes nothing that is held, and is said", async (_, answer) => {
    revision = 3;
    answers.stream = answer;
    start();
    await pass(2_000);
    expect(revision).toBe(3);
    expect(said.length).toBeGreaterThanOrEqual(1);
  });

  it("reads documents cut at every byte", async () => {
    const text = `retry: 1000\n\n: hi\n\n${snapshotMessage(5)}${message("change", changeOf(6, {}))}`;
    for (let at = 1; at < text.length; at += 1) {
      revision = undefined;
      answers.stream = streamOf([text.slice(0, at), text.slice(at)]);
      start();
      await pass(5);
      expect(revision).toBe(6);
      following.close();
    }
  });

  it("asks nothing while nobody looks, and at once when somebody does", async () => {
    start();
    await pass(20);
    vi.stubGlobal("document", { hidden: true });
    const before = asked.length;
    await pass(3_600_000);
    expect(asked.length).toBe(before);
    vi.stubGlobal("document", { hidden: false });
    following.wake();
    await pass(20);
    expect(asked.length).toBe(before + 1);
  });

  it("falls to polling after three lost streams, and goes back to the stream within 5 minutes", async () => {
    answers.snapshot = json;
    start(10_000);
    await pass(120_000);
    expect(revision).toBe(5);
    answers.stream = streamOf([snapshotMessage(6)]);
    await pass(300_000);
    expect(revision).toBe(6);
  });
});
