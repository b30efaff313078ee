import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { needPrograms, type TempDir, tempDir } from "@belay/testkit";
import { DuckDBInstance, type DuckDBValue } from "@duckdb/node-api";
import { tableFromIPC } from "apache-arrow";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { batchOf, exposureOf, metricOf, TEN_OCLOCK } from "../store/events/events.fixture.ts";
import { ANALYST, type Doors, openDoors } from "./doors.fixture.ts";

const run = promisify(execFile);

const MANY = 40_000;
/** What JSON.stringify makes of these must come back to the byte. */
const ATTRIBUTES = [
  { b: 1, a: [1.5, -0, 1e-7], nested: { ü: null, "": "\u2028" } },
  { quote: "q'\"\\", control: "\u0000\t\r\n", formula: "=1+1", emoji: "😀", lone: "\ud800" },
  undefined,
];

/** Every third exposure knows nothing of it. */
const DIFFERS = [{ differs: true }, { differs: false }, {}] as const;

let doors: Doors;
let folder: TempDir;
let files = 0;

beforeAll(async () => {
  folder = await tempDir("documents");
  doors = await openDoors(() => TEN_OCLOCK + 3_600_000);
  const exposures = ATTRIBUTES.map((attributes, index) =>
    exposureOf(index + 1, { unit: `u'${index}`, ...(attributes === undefined ? {} : { attributes }) }),
  );
  const metrics = [metricOf(100, { value: -0.5, properties: { sku: 'a"b' } }), metricOf(101, { name: "it's" })];
  await doors.events.append(batchOf({ exposures, metrics }));
  await doors.events.append(
    batchOf({ environment: "staging", exposures: [exposureOf(1)], receivedAtMs: TEN_OCLOCK - 86_400_000 }),
  );
  for (let start = 1; start <= MANY; start += 5_000) {
    const many = Array.from({ length: 5_000 }, (_, index) =>
      exposureOf(start + index, { flag: "many", unit: `m${index % 7}`, ...DIFFERS[index % 3] }),
    );
    await doors.events.append(batchOf({ instance: "many", exposures: many }));
  }
});
afterAll(async () => {
  await doors.close();
  await folder.remove();
});

const get = (path: string, headers: Record<string, string> = {}) =>
  doors.app.inject({ url: `/api/v1/projects/default/${path}`, headers: { ...ANALYST, ...headers } });

/** What another tool reads in the file. */
async function inDuckDb(document: Buffer, sql: (file: string) => string): Promise<DuckDBValue[][]> {
  files += 1;
  const file = join(folder.path, `${files}.parquet`);
  await writeFile(file, document);
  return query(sql(`'${file}'`));
}

async function query(sql: string): Promise<DuckDBValue[][]> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  const rows = (await connection.runAndReadAll(sql)).getRows();
  connection.closeSync();
  instance.closeSync();
  return rows;
}

type Row = Readonly<Record<string, unknown>>;

/** The same pull as NDJSON: what a document must equal. */
async function asLines(path: string): Promise<Row[]> {
  const { payload } = await get(path);
  return payload
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Row);
}

const JSON_COLUMNS = ["attributes", "properties"];
/** A row of a line as a document has it: free-form objects as their text. */
const flat = (row: Row): Row =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      JSON_COLUMNS.includes(name) && value !== null ? JSON.stringify(value) : value,
    ]),
  );

const rfc = (column: string): string => `strftime(${column} at time zone 'UTC', '%Y-%m-%dT%H:%M:%S.%gZ') as ${column}`;

async function parquetRows(path: string): Promise<Row[]> {
  const { rawPayload } = await get(path);
  const rows = await inDuckDb(
    rawPayload,
    (file) => `set timezone = 'UTC'; select to_json(t)::varchar from
      (select * replace (${rfc("time")}, ${rfc("received_at")}) from ${file}) t`,
  );
  return rows.map(([json]) => JSON.parse(String(json)) as Row);
}

async function arrowRows(path: string): Promise<Row[]> {
  const table = tableFromIPC((await get(path)).rawPayload);
  const moments = ["time", "received_at"];
  return table.toArray().map((row) =>
    Object.fromEntries(
      Object.entries((row as { toJSON(): Record<string, unknown> }).toJSON()).map(([name, value]) => {
        if (moments.includes(name)) return [name, new Date(Number(value)).toISOString()];
        return [name, typeof value === "bigint" ? Number(value) : value];
      }),
    ),
  );
}

describe.each([
  ["parquet", parquetRows, "application/vnd.apache.parquet"],
  ["arrow", arrowRows, "application/vnd.apache.arrow.stream"],
] as const)("%s", (format, read, contentType) => {
  test.each([
    ["exposures?flag=checkout", 4],
    ["exposures?environment=production&flag=checkout", 3],
    ["exposures?unit=u%270", 1],
    ["exposures?flag=many&variant=treatment", MANY],
    ["exposures?flag=many&limit=5000", 5_000],
    ["exposures?differs=false", (MANY / 5_000) * 1_667],
    ["exposures?flag=none", 0],
    ["metric-events?environment=production", 2],
    ["metric-events?name=it%27s", 1],
  ])("%s: its %d rows are those of the lines, in their order", async (path, count) => {
    const rows = await read(`${path}&format=${format}`);
    expect(rows).toHaveLength(count);
    expect(rows).toEqual((await asLines(path)).map(flat));
  });

  test("attributes are the text that was sent, to the byte", async () => {
    const rows = await read(`exposures?flag=checkout&environment=production&format=${format}`);
    expect(rows.map((row) => row["attributes"])).toEqual(ATTRIBUTES.map((value) => (value && JSON.stringify(value)) ?? null));
  });

  test("named by accept, with its type, its name and the number of rows", async () => {
    const answer = await get("exposures?flag=checkout", { accept: contentType });
    expect(answer.headers).toMatchObject({
      "content-type": contentType,
      "belay-rows": "4",
      "belay-lag-ms": "0",
      "content-disposition": `attachment; filename="default-exposures.${format === "arrow" ? "arrows" : format}"`,
    });
  });

  test("a cursor goes on in it after a row of any other format", async () => {
    const cursor = String((await asLines("exposures?flag=many&limit=12345")).at(-1)?.["cursor"]);
    const rows = await read(`exposures?flag=many&cursor=${cursor}&format=${format}`);
    expect([rows.length, rows[0]?.["seq"], rows.at(-1)?.["seq"]]).toEqual([MANY - 12_345, 12_346, MANY]);
  });
});

test("Parquet's columns have types, its pages are row groups, and it is not packed again", async () => {
  const { rawPayload, headers } = await get("exposures?format=parquet", { "accept-encoding": "gzip" });
  expect(headers["content-encoding"]).toBeUndefined();
  expect(await inDuckDb(rawPayload, (file) => `select column_name, column_type from (describe select * from ${file})`)).toEqual([
    ["id", "VARCHAR"],
    ["time", "TIMESTAMP WITH TIME ZONE"],
    ["received_at", "TIMESTAMP WITH TIME ZONE"],
    ["project", "VARCHAR"],
    ["environment", "VARCHAR"],
    ["revision", "BIGINT"],
    ...["flag", "variant", "rule", "experiment", "release", "unit"].map((name) => [name, "VARCHAR"]),
    ["differs", "BOOLEAN"],
    ...["attributes", "sdk", "instance"].map((name) => [name, "VARCHAR"]),
    ["seq", "BIGINT"],
    ["epoch", "BIGINT"],
    ["clock_offset_ms", "BIGINT"],
    ["cursor", "VARCHAR"],
  ]);
  const [[groups, rows] = []] = await inDuckDb(
    rawPayload,
    (file) => `select count(distinct row_group_id)::int, sum(row_group_num_rows)::int / 20 from parquet_metadata(${file})`,
  );
  expect([Number(groups) > 3, rows]).toEqual([true, MANY + 4]);
});

test("a column of a joined file can be read alone, and its statistics still narrow", async () => {
  const { rawPayload } = await get("exposures?flag=many&format=parquet");
  const count = await inDuckDb(rawPayload, (file) => `select count(*)::int, sum(seq)::bigint from ${file} where seq > 39990`);
  expect(count).toEqual([[10, 399_955n]]);
  const units = await inDuckDb(rawPayload, (file) => `select unit, count(*)::int from ${file} group by all order by all limit 1`);
  expect(units).toEqual([["m0", 5_720]]);
});

describe("a day's export", () => {
  test("holds what was received that day and says that the day is over", async () => {
    const answer = await get("exports/2026-11-21");
    expect(answer.headers).toMatchObject({
      "content-type": "application/vnd.apache.parquet",
      "belay-rows": "1",
      "belay-final": "true",
      "content-disposition": 'attachment; filename="default-exposures-2026-11-21.parquet"',
    });
    expect(await inDuckDb(answer.rawPayload, (file) => `select environment from ${file}`)).toEqual([["staging"]]);
  });

  test("of a day that still runs is not final; of metric events it is asked by kind; of nothing it is a file all the same", async () => {
    const today = await get("exports/2026-11-22?kind=metric-events");
    expect(today.headers).toMatchObject({ "belay-rows": "2", "belay-final": "false" });
    const nothing = await get("exports/2020-02-29");
    expect(await inDuckDb(nothing.rawPayload, (file) => `select count(*)::int from ${file}`)).toEqual([[0]]);
  });

  test.each(["2026-02-30", "today", "2026-11-22T00:00:00Z", "2026-13-01"])("%s is no day", async (day) => {
    expect((await get(`exports/${day}`)).json()).toMatchObject({ status: 422, code: "invalid_field", field: "day" });
  });
});

test("the printed curl runs as it is, and the printed SQL finds the same rows in its file", async (context) => {
  needPrograms(context, "curl");
  await doors.app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = doors.app.server.address() as AddressInfo;
  const path = `/api/v1/projects/default/exposures/estimate?environment=production&unit=u%270&from=2026-11-22&format=parquet`;
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers: ANALYST });
  const { rows, curl, sql, ...rest } = (await answer.json()) as { rows: number; curl: string; sql: string };
  expect([rows, rest]).toEqual([1, { lagMs: 0, dialect: "duckdb" }]);
  expect(sql).toBe(
    "select * from read_parquet('default-exposures*.parquet') where environment in ('production') and unit = 'u''0' " +
      "and received_at >= timestamptz '2026-11-22T00:00:00.000Z' order by cursor::bigint",
  );
  const shell = join(folder.path, "shell");
  await mkdir(shell);
  await run("sh", ["-c", curl], { cwd: shell, env: { ...process.env, BELAY_TOKEN: "{}" } });
  const found = await query(sql.replace("'default-", `'${shell}/default-`).replace("select *", "select unit, attributes"));
  expect(found).toEqual([["u'0", JSON.stringify(ATTRIBUTES[0])]]);
});
