import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { gzipSync } from "node:zlib";
import type { SyncEvent } from "@belay/core/client";
import { doorFaults, type SdkDoor, startFaultProxy, startSdkDoor } from "@belay/testkit";
import { describe, expect, it, onTestFinished } from "vitest";
import { HttpDoors } from "./http.ts";
import { rollout, snapshotOf } from "./rules.fixture.ts";
import { HttpTransport, SNAPSHOT_BYTES_MAX } from "./transport.ts";

const HELD_BYTES_MAX = 32 * 1024 * 1024;

const flags = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`flag-${n}`, rollout(n)]));

async function doorOf(): Promise<{ door: SdkDoor; transport: HttpTransport }> {
  const door = await startSdkDoor({ snapshot: snapshotOf(7, flags) });
  const doors = new HttpDoors(new URL(door.url), "sdk-1", "node/test");
  onTestFinished(async () => {
    doors.close();
    await door.stop();
  });
  return { door, transport: new HttpTransport(doors) };
}

/** What a poll comes to. */
function polled(transport: HttpTransport, holding?: number): Promise<SyncEvent> {
  return new Promise((resolve) => transport.poll(holding, resolve));
}

/** What a stream says until it fails. */
function streamed(transport: HttpTransport): Promise<SyncEvent[]> {
  const events: SyncEvent[] = [];
  return new Promise((resolve) => {
    transport.stream(undefined, (event) => {
      events.push(event);
      if (event.on === "failed") resolve(events);
    });
  });
}

describe("a poll", () => {
  it("brings the snapshot, and 304 for the revision held", async () => {
    const { door, transport } = await doorOf();
    expect(await polled(transport)).toMatchObject({ on: "snapshot", snapshot: { revision: 7 } });
    expect(await polled(transport, 7)).toEqual({ on: "unchanged" });
    expect(door.requests.map((request) => request.headers["if-none-match"])).toEqual([undefined, '"7"']);
  });

  it("fault 22: a body cut at each of 1,000 places is never taken for a snapshot", async () => {
    const { door, transport } = await doorOf();
    const body = gzipSync(JSON.stringify(snapshotOf(7, flags)));
    let at = 0;
    let isHonest = false;
    door.behave("snapshot", ({ response }) => {
      const headers = { "content-type": "application/json", "content-encoding": "gzip" };
      // Half of them say how long they would have been, half end as if they were whole.
      response.writeHead(200, isHonest ? { ...headers, "content-length": body.length } : headers);
      response.write(body.subarray(0, at), () => (isHonest ? response.destroy() : response.end()));
    });
    let failed = 0;
    for (let turn = 0; turn < 1_000; turn += 1) {
      at = Math.floor((turn / 1_000) * body.length);
      isHonest = turn % 2 === 0;
      const event = await polled(transport);
      if (event.on === "failed") failed += 1;
    }
    expect(failed).toBe(1_000);
  });

  it.each([
    ["HTML with status 200", doorFaults.html, "unusable", "the server answered with text/html instead of application/json"],
    ["what says gzip and is not", doorFaults.wrongGzip, "unusable", "the answer is not valid gzip"],
    ["JSON of another kind", doorFaults.body(() => ['{"flags":[]}']), "unusable", "the snapshot has not the form of one"],
    [
      "a newer format",
      doorFaults.body(() => ['{"format":2}']),
      "unusable",
      "the snapshot has format 2, which this version does not read",
    ],
    ["an empty body", doorFaults.body(() => []), "unusable", "the snapshot is not JSON"],
    ["401", doorFaults.status(401), "refused", "the server answered 401: is the SDK key right?"],
    ["a redirect", doorFaults.status(302, { location: "http://127.0.0.1:9/" }), "status", "the server answered 302"],
  ] as const)("fault 22: %s is refused with its reason", async (_name, behaviour, kind, detail) => {
    const { door, transport } = await doorOf();
    door.behave("snapshot", behaviour);
    expect(await polled(transport)).toEqual({ on: "failed", failure: expect.objectContaining({ kind, detail }) });
  });

  it.each([
    ["200 MB as they come", undefined],
    ["200 MB that were announced", String(200 * 1024 * 1024)],
  ])("fault 22: of %s at most 32 MB are held", async (_name, length) => {
    const { door, transport } = await doorOf();
    const chunk = Buffer.alloc(64 * 1024, " ");
    let sent = 0;
    const headers = { "content-type": "application/json", ...(length === undefined ? {} : { "content-length": length }) };
    door.behave(
      "snapshot",
      doorFaults.body(function* () {
        for (; sent < 200 * 1024 * 1024; sent += chunk.length) yield chunk;
      }, headers),
    );
    collect();
    const before = heldBytes();
    let most = 0;
    const watch = setInterval(() => {
      // What is garbage already is not held: on a busy machine the collector comes late.
      if (heldBytes() - before > HELD_BYTES_MAX) collect();
      most = Math.max(most, heldBytes() - before);
    }, 1);
    expect(await polled(transport)).toMatchObject({
      failure: { kind: "unusable", detail: `the answer is over ${SNAPSHOT_BYTES_MAX} bytes` },
    });
    clearInterval(watch);
    expect(most).toBeLessThan(HELD_BYTES_MAX);
    // What the sender got rid of before it was cut: our bound, and what lies in the buffers of two sockets.
    expect(sent).toBeLessThan(SNAPSHOT_BYTES_MAX + 8 * 1024 * 1024);
  });

  it("fault 22: a bomb, 256 MB in 256 KB, stops at the bound", async () => {
    const { door, transport } = await doorOf();
    const bomb = gzipSync(Buffer.alloc(256 * 1024 * 1024), { level: 9 });
    door.behave(
      "snapshot",
      doorFaults.body(() => [bomb], { "content-type": "application/json", "content-encoding": "gzip" }),
    );
    expect(await polled(transport)).toMatchObject({
      failure: { kind: "unusable", detail: `the answer is over ${SNAPSHOT_BYTES_MAX} bytes` },
    });
  });
});

describe("a stream", () => {
  it("says what came, in order, until it ends in good order", async () => {
    const { door, transport } = await doorOf();
    const events = streamed(transport);
    await expect.poll(() => door.openStreams).toBe(1);
    const comments = [": revision 42", ":revision 43", ": revision", ": revision 4x", ": ping", ":"];
    door.write(`retry: 2500\n\n${comments.join("\n\n")}\n\nevent: news\ndata: 1\n\n`);
    door.endStreams();
    const said = (await events).filter((event) => event.on !== "heard");
    expect(said.map((event) => event.on)).toEqual(["opened", "snapshot", "hinted", "heartbeat", "heartbeat", "failed"]);
    expect(said.slice(3, 5)).toEqual([
      { on: "heartbeat", revision: 42 },
      { on: "heartbeat", revision: 43 },
    ]);
    expect((await events).at(-1)).toEqual({ on: "failed", failure: { kind: "ended", detail: "the server ended the stream" } });
  });

  it("broken off is told from ended", async () => {
    const { door, transport } = await doorOf();
    const proxy = await startFaultProxy(door.port);
    onTestFinished(() => proxy.close());
    const doors = new HttpDoors(new URL(`http://127.0.0.1:${proxy.port}`), "sdk-1", "node/test");
    const events = streamed(new HttpTransport(doors));
    await expect.poll(() => door.openStreams).toBe(1);
    proxy.reset();
    expect((await events).at(-1)).toMatchObject({ on: "failed", failure: { kind: "network" } });
    expect(await polled(transport)).toMatchObject({ on: "snapshot" });
  });

  it.each([
    ["a change that is cut", 'event: change\ndata: {"format":1,\n\n', "a change of the stream is not JSON"],
    ["a snapshot that is none", "event: snapshot\ndata: {}\n\n", "a snapshot of the stream has not the form of one"],
  ])("%s is unusable, with its reason", async (_name, text, detail) => {
    const { door, transport } = await doorOf();
    const events = streamed(transport);
    await expect.poll(() => door.openStreams).toBe(1);
    door.write(text);
    expect((await events).at(-1)).toEqual({ on: "failed", failure: { kind: "unusable", detail } });
  });

  it("says nothing more once it was stopped", async () => {
    const { door, transport } = await doorOf();
    const events: SyncEvent[] = [];
    const stop = transport.stream(undefined, (event) => events.push(event));
    await expect.poll(() => events.length).toBeGreaterThan(1);
    stop();
    const { length } = events;
    await expect.poll(() => door.openStreams).toBe(0);
    expect(events).toHaveLength(length);
  });
});

describe("a connection that cannot be made", () => {
  it("is a failure with its code", async () => {
    const { door, transport } = await doorOf();
    await door.stop();
    expect(await polled(transport)).toEqual({
      on: "failed",
      failure: { kind: "network", detail: "the connection failed (ECONNREFUSED)" },
    });
    await door.start();
  });
});

/** Collects twice: what a first collection finds dead outside the heap is given back by the second. */
function collect(): void {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  gc();
  gc();
}

function heldBytes(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
