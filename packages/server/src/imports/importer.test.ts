import { existsSync, readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { tempDir } from "@belay/testkit";
import { expect, test } from "vitest";
import { P } from "../app.fixture.ts";
import { ProblemError } from "../http/problem.ts";
import type { IncomingBatch } from "../store/events/index.ts";
import { Importer } from "./importer.ts";
import { CSV, importBench, NDJSON, PARQUET, parquetOf } from "./imports.fixture.ts";
import type { ImportPlan } from "./plan.ts";

const PLAN: ImportPlan = {
  kind: "exposures",
  format: "csv",
  columns: {},
  constants: { experiment: "e" },
  extra: [],
  delimiter: ",",
};
const ORDER = { project: "default", environment: "production", plan: PLAN, encoding: "identity" } as const;

const fileOf = (rows: number): string =>
  `unit,variant,time\n${Array.from({ length: rows }, (_, row) => `u${row},a,2019-03-01\n`).join("")}`;

function bodyOf(text: string): PassThrough {
  const body = new PassThrough();
  body.end(text);
  return body;
}

/** A store that takes what `take` lets it. */
async function withStore(
  take: (batch: IncomingBatch, calls: number) => Promise<void> | void,
  status: () => { spoolBytes: number; spoolBytesMax: number } = () => ({ spoolBytes: 0, spoolBytesMax: 1 }),
) {
  const folder = await tempDir("importer");
  let calls = 0;
  const stored: number[] = [];
  const events = {
    append: async (batch: IncomingBatch) => {
      calls += 1;
      await take(batch, calls);
      stored.push(...batch.exposures.map(({ seq }) => seq));
      return { accepted: batch.exposures.length, duplicates: 0 };
    },
    status: () => status() as never,
  };
  const open = (): Promise<Importer> => Importer.open({ directory: folder.path, events, now: Date.now, silenceMs: 100 });
  return { folder, open, stored, calls: () => calls };
}

test("a store that is full or away is waited for: 10 failures, and every row is stored once", async () => {
  const { folder, open, stored } = await withStore((_, calls) => {
    if (calls % 2 === 1 && calls < 20) throw new ProblemError(calls % 4 === 1 ? "spool_full" : "store_unavailable");
  });
  const importer = await open();
  const { id } = await importer.begin(await importer.receive(bodyOf(fileOf(12_000)), ORDER));
  await expect.poll(() => importer.find("default", id)?.state, { timeout: 30_000 }).toBe("finished");
  expect(stored).toEqual(Array.from({ length: 12_000 }, (_, row) => row + 1));
  expect(importer.find("default", id)?.fault).toBeUndefined();
  await importer.close();
  await folder.remove();
});

test("while a quarter of the spool is taken an import waits, so that SDKs find room", async () => {
  let spoolBytes = 26;
  const { folder, open, stored } = await withStore(
    () => undefined,
    () => ({ spoolBytes, spoolBytesMax: 100 }),
  );
  const importer = await open();
  const { id } = await importer.begin(await importer.receive(bodyOf(fileOf(10)), ORDER));
  await expect.poll(() => importer.find("default", id)?.state, { timeout: 30_000 }).toBe("reading");
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(stored).toEqual([]);
  spoolBytes = 25;
  await expect.poll(() => importer.find("default", id)?.state, { timeout: 30_000 }).toBe("finished");
  expect(stored).toHaveLength(10);
  await importer.close();
  await folder.remove();
});

test("cancelled in the middle it ends there; sent again it goes on after it, and a restart goes on by itself", async () => {
  let letThrough: () => void = () => undefined;
  const third = new Promise<void>((resolve) => {
    letThrough = resolve;
  });
  const { folder, open, stored, calls } = await withStore((_, call) => (call === 3 ? third : undefined));
  let importer = await open();
  const { id } = await importer.begin(await importer.receive(bodyOf(fileOf(10_000)), ORDER));
  await expect.poll(calls, { timeout: 30_000 }).toBe(3);
  const record = importer.find("default", id);
  if (record === undefined) throw new Error("it is not there");
  const cancelling = importer.cancel(record);
  letThrough();
  expect(await cancelling).toMatchObject({ state: "cancelled", rows: 3_000, accepted: 3_000, through: 3_000 });
  expect(await readdir(`${folder.path}/${id}`)).toEqual(["import.json"]);

  await importer.begin(await importer.receive(bodyOf(fileOf(10_000)), ORDER));
  await importer.close();
  importer = await open();
  await expect.poll(() => importer.find("default", id)?.state, { timeout: 30_000 }).toBe("finished");
  expect(new Set(stored).size).toBe(10_000);
  expect(importer.find("default", id)).toMatchObject({ rows: 10_000, accepted: 10_000 });
  await importer.close();
  await folder.remove();
});

test("a sender that falls silent is given up on, and nothing is left of its file", async () => {
  const { folder, open } = await withStore(() => undefined);
  const importer = await open();
  const body = new PassThrough();
  body.write("unit,variant,time\n");
  await expect(importer.receive(body, ORDER)).rejects.toMatchObject({ code: "request_timeout", data: { limit: 100 } });
  expect(await readdir(`${folder.path}/incoming`)).toEqual([]);
  await importer.close();
  await folder.remove();
});

const RECORDED =
  process.env["BELAY_COOKIE_CATS"] ?? fileURLToPath(new URL("../../../../../shared/data/cookie_cats.csv.gz", import.meta.url));

/** The recorded players where they are at hand; else players that are made, so that the test is never empty. */
function players(): string {
  if (existsSync(RECORDED)) return gunzipSync(readFileSync(RECORDED)).toString();
  console.warn("the recorded Cookie Cats were not at hand: set BELAY_COOKIE_CATS; 2,000 players are made instead");
  const rows = Array.from(
    { length: 2_000 },
    (_, n) => `${n + 1},gate_${n % 2 === 0 ? 30 : 40},${n % 97},${n % 3 === 0 ? "TRUE" : "FALSE"},FALSE`,
  );
  return `userid,version,sum_gamerounds,retention_1,retention_7\n${rows.join("\n")}\n`;
}

test("Cookie Cats as CSV, NDJSON and Parquet: the same arms, the same players, the same sums", async () => {
  const bench = await importBench();
  const csv = players();
  const rows = csv
    .trim()
    .split(/\r?\n/)
    .slice(1)
    .map((line) => line.split(","));
  const ndjson = rows
    .map(([userid, version, rounds]) => `{"userid":${userid},"version":"${version}","sum_gamerounds":${rounds}}\n`)
    .join("");
  const path = `${bench.folder.path}/players.ndjson`;
  await (await import("node:fs/promises")).writeFile(path, ndjson);
  const parquet = await parquetOf(bench.folder, `select * from read_json('${path}')`);

  const counts: unknown[] = [];
  for (const [format, file, headers] of [
    ["csv", csv, CSV],
    ["ndjson", ndjson, NDJSON],
    ["parquet", parquet, PARQUET],
  ] as const) {
    const day = "set.time=2016-06-01&unit=userid";
    await bench.import(`kind=exposures&set.experiment=${format}&variant=version&${day}`, file, headers);
    await bench.import(`kind=metric-events&set.name=rounds-${format}&value=sum_gamerounds&${day}`, file, headers);
    const of = async (variant: string): Promise<number> =>
      (await bench.server.ask("GET", `${P}/exposures/estimate?experiment=${format}&variant=${variant}`)).body.rows;
    const metrics = await bench.server.app.inject({
      url: `${P}/metric-events?name=rounds-${format}`,
      headers: { authorization: `Bearer ${bench.server.adminToken}` },
    });
    const events = metrics.body
      .split("\n")
      .flatMap((line) => (line === "" ? [] : [JSON.parse(line) as { unit: string; value: number }]));
    const sum = events.reduce((total, { value }) => total + value, 0);
    counts.push([await of("gate_30"), await of("gate_40"), new Set(events.map(({ unit }) => unit)).size, sum]);
  }
  const arm = (name: string): number => rows.filter(([, version]) => version === name).length;
  const sum = rows.reduce((total, [, , rounds]) => total + Number(rounds), 0);
  const expected = [arm("gate_30"), arm("gate_40"), rows.length, sum];
  expect(counts).toEqual([expected, expected, expected]);
  if (existsSync(RECORDED)) expect(expected.slice(0, 3)).toEqual([44_700, 45_489, 90_189]);
  await bench.close();
}, 600_000);
