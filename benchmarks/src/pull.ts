// Pulls of everything there is, in each format, beside DuckDB copying the same columns into a file itself.
// `npm run bench -- pull [rows] [--write]`; 10,000,000 rows by default. Reads /proc, so it runs on Linux only.
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type ServerProcess, startServer, tempDir } from "@belay/testkit";
import { fillStore, withDatabase } from "./filled-store.ts";
import { report, table, whole } from "./page.ts";
import { type Peaks, watchMemory } from "./process-memory.ts";

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
  const [{ seconds, bytes }, { growthMb, childrenMb }] = await pull(server, format);
  await server.stop();
  const copied = options === undefined ? undefined : await copy(format, options);
  const ours = [format, whole(ROWS / seconds), rate(bytes, seconds), whole(bytes / 1e6), whole(growthMb), whole(childrenMb)];
  const theirs = copied === undefined ? ["has none", ""] : [whole(ROWS / copied.seconds), rate(copied.bytes, copied.seconds)];
  lines.push([...ours, ...theirs]);
  console.log(lines.at(-1)?.join("  "));
}
await data.remove();
const head = [
  ...["format", "rows/s", "MB/s", "MB in all", "server grows by, MB", "its database process, at most MB"],
  ...["DuckDB's own copy, rows/s", "MB/s"],
];
report(
  "pull",
  `A pull of ${whole(ROWS)} exposures over HTTP on one connection, nothing kept by the reader; beside it DuckDB on all processors,
writing the same columns in the same order into a file:

${table(head, lines)}`,
);

interface Written {
  readonly seconds: number;
  readonly bytes: number;
}

function pull(server: ServerProcess, format: string): Promise<[Written, Peaks]> {
  return watchMemory(server.pid, async () => {
    const startedAt = performance.now();
    const answer = await fetch(`${server.url}/api/v1/projects/default/exposures?format=${format}`, {
      headers: { authorization: `Bearer ${server.adminToken}`, "accept-encoding": "identity" },
    });
    if (answer.body === null || answer.headers.get("belay-rows") !== String(ROWS)) throw new Error(`answered ${answer.status}`);
    let bytes = 0;
    for await (const chunk of answer.body) bytes += (chunk as Uint8Array).length;
    return { seconds: (performance.now() - startedAt) / 1_000, bytes };
  });
}

function copy(format: string, options: string): Promise<Written> {
  const file = join(data.path, `copy.${format}`);
  const made = "instance || '-' || seq as id, position::varchar as cursor";
  return withDatabase(data.path, async (connection) => {
    await connection.run("reset threads");
    const startedAt = performance.now();
    await connection.run(
      `copy (select ${made}, * exclude (position) from exposures order by position) to '${file}' (${options})`,
    );
    const seconds = (performance.now() - startedAt) / 1_000;
    const { size } = await stat(file);
    await rm(file);
    return { seconds, bytes: size };
  });
}

function rate(bytes: number, seconds: number): string {
  return (bytes / 1e6 / seconds).toFixed(0);
}
