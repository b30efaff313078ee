import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { type ServerProcess, startServer, type TempDir, tempDir } from "@belay/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exposureOf } from "../store/events/events.fixture.ts";

/** The full measure is `BELAY_PULL_ROWS=10000000`; the quick suite pulls enough for a leak of each page to show. */
const ROWS = Number(process.env["BELAY_PULL_ROWS"] ?? 200_000);
const BATCH = 5_000;
const GROWTH_MB = 100;

let server: ServerProcess;
let data: TempDir;
let key: string;
/** Of a server that just started. */
let freshMb: number;

beforeAll(
  async () => {
    data = await tempDir("pull-memory");
    server = await startServer({ dataDir: data.path });
    const answer = await fetch(`${server.url}/api/v1/projects/default/keys`, {
      method: "POST",
      headers: { authorization: `Bearer ${server.adminToken}`, "content-type": "application/json" },
      body: JSON.stringify({ environment: "production", kind: "server", name: "t" }),
    });
    key = ((await answer.json()) as { secret: string }).secret;
    for (let from = 1; from <= ROWS; from += BATCH) await send(from);
    await whenLoaded();
    // What taking events in left behind would hide what pulling them costs.
    await server.stop();
    server = await startServer({ dataDir: data.path });
    freshMb = await residentMb();
  },
  30_000 + ROWS / 5,
);
afterAll(async () => {
  await server?.stop();
  await data?.remove();
});

async function whenLoaded(): Promise<void> {
  const answer = await fetch(`${server.url}/api/v1/projects/default/exposures/estimate`, {
    headers: { authorization: `Bearer ${server.adminToken}` },
  });
  if (((await answer.json()) as { lagMs: number }).lagMs > 0) await whenLoaded();
}

async function send(from: number): Promise<void> {
  const exposures = Array.from({ length: BATCH }, (_, index) =>
    exposureOf(from + index, { attributes: { country: "DE", n: from + index } }),
  );
  const answer = await fetch(`${server.url}/sdk/v1/events`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ batchId: `b${from}`, sentAtMs: Date.now(), sdk: "t", instance: "i", exposures }),
  });
  expect([answer.status, await answer.json()]).toMatchObject([202, { accepted: BATCH }]);
}

interface Pulled {
  readonly bytes: number;
  readonly rows: number;
  readonly peakMb: number;
}

/** Pulls everything and throws it away, looking at the server's resident memory meanwhile. */
async function pull(format: string): Promise<Pulled> {
  let isOver = false;
  let peakMb = 0;
  const looking = (async () => {
    for (; !isOver; await sleep(50)) peakMb = Math.max(peakMb, await residentMb());
  })();
  const answer = await fetch(`${server.url}/api/v1/projects/default/exposures?format=${format}`, {
    headers: { authorization: `Bearer ${server.adminToken}` },
  });
  let bytes = 0;
  for await (const chunk of answer.body as AsyncIterable<Uint8Array>) bytes += chunk.length;
  isOver = true;
  await looking;
  return { bytes, rows: Number(answer.headers.get("belay-rows")), peakMb };
}

async function residentMb(): Promise<number> {
  const status = await readFile(`/proc/${server.pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) / 1_024;
}

// Only Linux shows a process's memory under /proc.
test.runIf(process.platform === "linux").each(["ndjson", "csv", "parquet", "arrow"])(
  `a pull of ${ROWS} rows as %s grows the server by less than ${GROWTH_MB} MB`,
  async (format) => {
    const sinceMs = performance.now();
    const { bytes, rows, peakMb } = await pull(format);
    expect(rows).toBe(ROWS);
    expect(bytes).toBeGreaterThan(ROWS * 2);
    expect(peakMb - freshMb).toBeLessThan(GROWTH_MB);
    const seconds = (performance.now() - sinceMs) / 1_000;
    console.info(
      `${format}: ${Math.round(rows / seconds)} rows/s, ${(bytes / 1e6).toFixed(1)} MB, +${(peakMb - freshMb).toFixed(0)} MB`,
    );
  },
  30_000 + ROWS / 5,
);
