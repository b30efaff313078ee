import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import type { RelayedBatch, RelayedEvents } from "@belay/protocol";
import { tempDir } from "@belay/testkit";
import { expect, it, onTestFinished } from "vitest";
import { ProblemError } from "../http/problem.ts";
import { batchOf, exposureOf, metricOf } from "../store/events/events.fixture.ts";
import { Received } from "../store/events/received.ts";
import { encodeBatch } from "../store/events/spool/batch-frame.ts";
import { scanFrames } from "../store/events/spool/frame.ts";
import { Branch } from "./branch.ts";
import { requestsOf } from "./forwarder.ts";

/** What stands for the server: takes batches, or refuses everything. */
async function fakeUpstream() {
  const batches: RelayedBatch[] = [];
  const state = { isAway: true };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const isTaken = !state.isAway && request.url === "/relay/v1/events";
      if (isTaken) batches.push(...(JSON.parse(gunzipSync(Buffer.concat(chunks)).toString()) as RelayedEvents).batches);
      response.writeHead(isTaken ? 202 : 503).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, batches, state };
}

async function branchOn(upstreamUrl: string, directory: string, spoolBytesMax = 2 ** 31): Promise<Branch> {
  return Branch.open({
    directory,
    upstreamUrl,
    key: "belay_relay_aaaaaaaaaaaa_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    relay: "edge-1",
    now: Date.now,
    random: Math.random,
    spoolBytesMax,
    onBrief: () => undefined,
    onRevision: () => undefined,
    onFault: () => undefined,
  });
}

const sequence = (from: number, count: number): number[] => Array.from({ length: count }, (_, at) => from + at);

it("refuses events at its bound, keeps what it acknowledged over a restart, and hands it on once, in order", async () => {
  const { path, remove } = await tempDir("branch");
  onTestFinished(remove);
  const upstream = await fakeUpstream();
  let branch = await branchOn(upstream.url, path, 40_000);
  let taken = 0;
  const append = (): Promise<unknown> =>
    branch.append(batchOf({ exposures: sequence(taken * 10 + 1, 10).map((seq) => exposureOf(seq)) }));
  const refusal = await (async () => {
    for (; taken < 1_000; taken++) await append();
  })().catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(ProblemError);
  expect(refusal).toMatchObject({ code: "spool_full", data: { limit: 40_000, retryAfterS: 5 } });
  expect(taken).toBeGreaterThan(10);
  await branch.close();

  branch = await branchOn(upstream.url, path, 40_000);
  onTestFinished(() => branch.close());
  await expect(append()).rejects.toThrow(ProblemError);
  upstream.state.isAway = false;
  await expect.poll(() => branch.status().spoolBytes, { timeout: 20_000 }).toBe(0);
  await append();
  taken += 1;
  await expect.poll(() => branch.status().lagMs, { timeout: 20_000 }).toBe(0);
  await expect.poll(() => branch.forwarded).toBe(taken);
  const seqs = upstream.batches.flatMap(({ batch }) => batch.exposures ?? []).map(({ seq }) => seq);
  expect(seqs).toEqual(sequence(1, taken * 10));
});

it("hands a batch on as its instance sent it, with what came again as numbers", async () => {
  const { path, remove } = await tempDir("branch");
  onTestFinished(remove);
  const upstream = await fakeUpstream();
  upstream.state.isAway = false;
  const branch = await branchOn(upstream.url, path);
  onTestFinished(() => branch.close());
  const exposures = [exposureOf(1, { attributes: { plan: "pro", seats: [0, null] } }), exposureOf(2, { differs: false })];
  const metrics = [metricOf(3, { value: 0, properties: { sku: "x" } })];
  const sent = batchOf({
    exposures,
    metrics,
    counts: [{ flag: "f", count: 2 }],
    clockOffsetMs: 90_000,
    receivedAtMs: Date.now(),
  });
  expect(await branch.append(sent)).toEqual({ accepted: 3, duplicates: 0 });
  expect(await branch.append({ ...sent, batchId: "another" })).toEqual({ accepted: 0, duplicates: 3 });
  await expect.poll(() => upstream.batches.length, { timeout: 20_000 }).toBe(2);
  const [first, again] = upstream.batches;
  const { sentAtMs, ...batch } = first?.batch ?? { sentAtMs: 0 };
  const { batchId, instance, sdk, counts } = sent;
  expect(batch).toEqual({ batchId, instance, sdk, exposures, metrics, counts });
  expect(Math.abs(Date.now() - 90_000 - sentAtMs)).toBeLessThan(60_000);
  const { experiment, variant } = exposureOf(1);
  expect(first?.duplicates).toBeUndefined();
  expect(again).toMatchObject({ batch: { batchId: "another", counts }, duplicates: [{ experiment, variant, count: 2 }] });
  expect(again?.batch.exposures).toBeUndefined();
});

it("sends no more of one instance together than is known again, should a request be repeated", () => {
  const received = new Received();
  const payloads = sequence(1, 20).flatMap((seq) => {
    const batch = batchOf({ batchId: `b${seq}`, exposures: [exposureOf(seq)] });
    const { frames } = encodeBatch(batch, received.claim("one", 0), seq);
    return scanFrames(Buffer.concat([...frames])).payloads;
  });
  expect([...requestsOf(payloads)].map((frames) => frames.length)).toEqual([8, 8, 4]);
  expect([...requestsOf(payloads)].flat().map(({ batchId }) => batchId)).toEqual(sequence(1, 20).map((seq) => `b${seq}`));
});
