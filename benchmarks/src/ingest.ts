// Durable exposures per second into the embedded event store, and how long an acknowledgement takes, alone and while somebody
// reads everything there is. `npm run bench -- ingest [--write]`.
import { Agent, request } from "node:http";
import { gzipSync } from "node:zlib";
import type { EventBatch } from "@belay/protocol";
import { type ServerProcess, startServer } from "@belay/testkit";
import { connectControl } from "./control.ts";
import { report, table, whole } from "./page.ts";
import { quantile } from "./rounds.ts";

const SECONDS = 3;
/** Batches made ahead for each connection; the clock stops when they run out. */
const BATCHES_AHEAD = 600;

const lines: string[][] = [];
for (const isRead of [false, true]) {
  for (const size of [100, 500]) {
    for (const connections of [1, 50]) {
      const [plain, gzip] = [
        await measure({ size, connections, isRead, isGzip: false }),
        await measure({ size, connections, isRead, isGzip: true }),
      ];
      lines.push([isRead ? "yes" : "no", String(size), String(connections), ...plain, ...gzip]);
    }
  }
}
const head = [
  "read meanwhile",
  "batch",
  "connections",
  "plain, exposures/s",
  "ack p50 / p99",
  "gzip, exposures/s",
  "ack p50 / p99",
];
report(
  "ingest",
  `Durable exposures per second into the embedded store, acknowledged only once they are synced to disk, each figure against
a new server for ${SECONDS} s; "read meanwhile": two readers count and pull everything as CSV, over and over.

${table(head, lines)}`,
);

interface Load {
  readonly size: number;
  readonly connections: number;
  readonly isRead: boolean;
  readonly isGzip: boolean;
}

async function measure(load: Load): Promise<[rate: string, ack: string]> {
  const server = await startServer();
  const { sdkKey } = await connectControl(server);
  const agent = new Agent({ keepAlive: true, maxSockets: load.connections });
  const latencies: number[] = [];
  let accepted = 0;
  const bodies = Array.from({ length: load.connections }, (_, connection) => bodiesOf(load, connection));
  const reading = new AbortController();
  const readers = load.isRead ? [1, 2].map(() => readOn(server, reading.signal)) : [];
  const startedAt = performance.now();
  const until = startedAt + SECONDS * 1_000;
  await Promise.all(
    bodies.map(async (queue) => {
      for (const body of queue) {
        if (performance.now() > until) return;
        const sentAt = performance.now();
        const stored = await post(`${server.url}/sdk/v1/events`, body, { sdkKey, agent, isGzip: load.isGzip });
        // Not `accepted += await ...`: that reads the sum before the wait, and the other connections' share is lost.
        accepted += stored;
        latencies.push(performance.now() - sentAt);
      }
    }),
  );
  const seconds = (performance.now() - startedAt) / 1_000;
  reading.abort();
  await Promise.all(readers);
  agent.destroy();
  await server.stop();
  const figures: [string, string] = [whole(accepted / seconds), `${ms(latencies, 0.5)} / ${ms(latencies, 0.99)}`];
  console.log(JSON.stringify(load), ...figures);
  return figures;
}

/** Heavy reading: what is there is counted and pulled as fast as it comes, until told to stop. */
async function readOn({ url, adminToken }: ServerProcess, signal: AbortSignal): Promise<void> {
  const headers = { authorization: `Bearer ${adminToken}` };
  while (!signal.aborted) {
    for (const path of ["exposures/estimate?variant=control", "exposures?format=csv"]) {
      const answer = await fetch(`${url}/api/v1/projects/default/${path}`, { headers, signal }).catch(() => undefined);
      await answer?.arrayBuffer().catch(() => undefined);
    }
  }
}

function bodiesOf({ size, connections, isGzip }: Load, connection: number): Buffer[] {
  const count = Math.ceil(BATCHES_AHEAD / Math.sqrt(connections));
  return Array.from({ length: count }, (_, index) => {
    const text = JSON.stringify(batchOf(`benchmark-${connection}`, index * size, size));
    return isGzip ? gzipSync(text) : Buffer.from(text);
  });
}

function batchOf(instance: string, from: number, size: number): EventBatch {
  const now = Date.now();
  return {
    batchId: `${instance}-${from}`,
    sentAtMs: now,
    sdk: "benchmark/0.1.0",
    instance,
    exposures: Array.from({ length: size }, (_, index) => ({
      seq: from + index + 1,
      timeMs: now,
      flag: "checkout-v2",
      variant: index % 2 === 0 ? "control" : "treatment",
      rule: "rollout",
      experiment: "checkout",
      epoch: 7,
      revision: 12,
      unit: `${instance}-user-${from + index}`,
      attributes: { country: "DE", plan: "pro" },
    })),
  };
}

interface Posting {
  readonly sdkKey: string;
  readonly agent: Agent;
  readonly isGzip: boolean;
}

/** Resolves with the number of events acknowledged. */
function post(url: string, body: Buffer, { sdkKey, agent, isGzip }: Posting): Promise<number> {
  const headers = {
    authorization: `Bearer ${sdkKey}`,
    "content-type": "application/json",
    "content-length": body.length,
    ...(isGzip ? { "content-encoding": "gzip" } : {}),
  };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: "POST", agent, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      answer.on("end", () => {
        if (answer.statusCode === 202) resolve((JSON.parse(text) as { accepted: number }).accepted);
        else reject(new Error(`answered ${answer.statusCode}: ${text}`));
      });
    });
    sent.on("error", reject).end(body);
  });
}

function ms(values: readonly number[], share: number): string {
  return `${quantile(values, share).toFixed(1)} ms`;
}
