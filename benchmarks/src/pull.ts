// Pulls of everything there is, in each format, beside DuckDB copying the same columns into a file itself.
// `npm run bench -- pull [rows] [--write]`; 10,000,000 rows by default. Reads /proc, so it runs on Linux only.
import { readFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type ServerProcess, startServer, tempDir } from "@belay/testkit";
import { fillStore, withDatabase } from "./filled-store.ts";
import { report, table, whole } from "./page.ts";

const ROWS = Number(process.argv[2]?.replace(/^--.*/, "") || 10_000_000);
/** DuckDB writes no Arrow streams into files. */
const COPIED: Readonly<Record<string, string | undefined>> = {
  ndjson: "format json",
  csv: "format csv, header true, force_quote *",
  parquet: "format parquet, compression zstd",
  arrow: undefined,
};

const data = await tempDir("bench-pull");
await fillStore(data.path, { rows: ROWS, days: 30, experiments: 10 });
const lines: string[][] = [];
for (const [format, options] of Object.entries(COPIED)) {
  const server = await startServer({ dataDir: data.path });
  const { seconds, bytes, growthMb } = await pull(server, format);
  await server.stop();
  const copied = options === undefined ? undefined : await copy(format, options);
  const rate = (took: number): string => whole(ROWS / took);
  const ours = [format, rate(seconds), (bytes / 1e6 / seconds).toFixed(0), whole(bytes / 1e6), growthMb.toFixed(0)];
  const theirs =
    copied === undefined ? ["has none", ""] : [rate(copied.seconds), (copied.bytes / 1e6 / copied.seconds).toFixed(0)];
  lines.push([...ours, ...theirs]);
}
await data.remove();
const head = ["format", "rows/s", "MB/s", "MB in all", "server grows by, MB", "DuckDB's own copy, rows/s", "MB/s"];
report(
  "pull",
  `A pull of ${whole(ROWS)} exposures over HTTP on one connection, nothing kept by the reader:\n\n${table(head, lines)}`,
);

interface Pulled {
  readonly seconds: number;
  readonly bytes: number;
  /** The most that the server's own process grew by. */
  readonly growthMb: number;
}

async function pull(server: ServerProcess, format: string): Promise<Pulled> {
  const freshMb = residentMb(server.pid);
  let peakMb = freshMb;
  let isOver = false;
  const looking = (async () => {
    for (; !isOver; await pause(50)) peakMb = Math.max(peakMb, residentMb(server.pid));
  })();
  const startedAt = performance.now();
  const answer = await fetch(`${server.url}/api/v1/projects/default/exposures?format=${format}`, {
    headers: { authorization: `Bearer ${server.adminToken}`, "accept-encoding": "identity" },
  });
  if (answer.body === null || answer.headers.get("belay-rows") !== String(ROWS)) throw new Error(`answered ${answer.status}`);
  let bytes = 0;
  for await (const chunk of answer.body) bytes += (chunk as Uint8Array).length;
  const seconds = (performance.now() - startedAt) / 1_000;
  isOver = true;
  await looking;
  return { seconds, bytes, growthMb: peakMb - freshMb };
}

function copy(format: string, options: string): Promise<{ seconds: number; bytes: number }> {
  const file = join(data.path, `copy.${format}`);
  const made = "instance || '-' || seq as id, position::varchar as cursor";
  return withDatabase(data.path, async (connection) => {
    const startedAt = performance.now();
    await connection.run(
      `copy (select ${made}, * exclude (position) from exposures order by position) to '${file}' (${options})`,
    );
    return { seconds: (performance.now() - startedAt) / 1_000, bytes: (await stat(file)).size };
  });
}

function residentMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? Number.NaN) / 1_024;
}
