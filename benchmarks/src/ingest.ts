// Durable exposures per second into the embedded event store, and how long an acknowledgement takes.
import { Agent, request } from "node:http";
import { gzipSync } from "node:zlib";
import type { EventBatch } from "@belay/protocol";
import { startServer } from "@belay/testkit";
import { connectControl } from "./control.ts";
import { quantile } from "./rounds.ts";

const SECONDS = 5;
/** Batches made ahead for each connection; the clock stops when they run out. */
const BATCHES_AHEAD = 600;

for (const isGzip of [false, true]) {
  for (const size of [100, 500]) {
    for (const connections of [1, 16]) await measure({ size, connections, isGzip });
  }
}

interface Load {
  readonly size: number;
  readonly connections: number;
  readonly isGzip: boolean;
}

async function measure(load: Load): Promise<void> {
  const server = await startServer();
  const { sdkKey } = await connectControl(server);
  const agent = new Agent({ keepAlive: true, maxSockets: load.connections });
  const latencies: number[] = [];
  let accepted = 0;
  const bodies = Array.from({ length: load.connections }, (_, connection) => bodiesOf(load, connection));
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
  const name = `batches of ${load.size}, ${load.connections} connection${load.connections === 1 ? "" : "s"}, ${load.isGzip ? "gzip" : "plain"}`;
  const perSecond = Math.round(accepted / seconds).toLocaleString("en");
  console.log(
    `${name.padEnd(42)} ${perSecond.padStart(9)} exposures/s   ack p50 ${ms(latencies, 0.5)}, p99 ${ms(latencies, 0.99)}`,
  );
  agent.destroy();
  await server.stop();
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
