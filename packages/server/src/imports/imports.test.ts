import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { P } from "../app.fixture.ts";
import { ASSIGNMENTS, CSV, type ImportBench, importBench, NDJSON, PARQUET, parquetOf } from "./imports.fixture.ts";

let bench: ImportBench;
beforeEach(async () => {
  bench = await importBench();
});
afterEach(() => bench.close());

const THREE =
  "unit,arm,at\nann,control,2019-03-01T10:00:00Z\nbob,treatment,2019-03-01\ncid,treatment,2019-03-01 12:30:00.5+02:00\n";

describe("a file of assignments", () => {
  test("becomes exposures with the file's own times, years back, and today's arrival", async () => {
    const view = await bench.import(`${ASSIGNMENTS}&set.epoch=7`, THREE);
    expect(view).toMatchObject({
      state: "finished",
      format: "csv",
      bytes: THREE.length,
      rowsTotal: 3,
      rows: 3,
      accepted: 3,
      rejected: 0,
    });
    const rows = await bench.rows();
    expect(rows.map(({ unit, variant, time, seq }) => [unit, variant, time, seq])).toEqual([
      ["ann", "control", "2019-03-01T10:00:00.000Z", 1],
      ["bob", "treatment", "2019-03-01T00:00:00.000Z", 2],
      ["cid", "treatment", "2019-03-01T10:30:00.500Z", 3],
    ]);
    expect(rows[0]).toMatchObject({
      flag: "gate-test",
      experiment: "gate-test",
      release: null,
      epoch: 7,
      revision: 0,
      differs: null,
      attributes: null,
      sdk: "import",
      instance: `import-${view.id}`,
      environment: "production",
    });
    expect(Date.parse(String(rows[0]?.["received_at"]))).toBeGreaterThan(Date.parse("2024-01-01"));
  });

  test("sent again, plain, gzip'd or twice at once, counts once; under another mapping it is another import", async () => {
    const first = await bench.import(ASSIGNMENTS, THREE);
    const again = await bench.send(ASSIGNMENTS, THREE);
    const packed = await bench.send(ASSIGNMENTS, gzipSync(THREE), { ...CSV, "content-encoding": "gzip" });
    expect([again.status, again.body, packed.status, packed.body]).toEqual([200, first, 200, first]);
    const other = await Promise.all([
      bench.import(`${ASSIGNMENTS}&set.flag=gate`, THREE),
      bench.import(`${ASSIGNMENTS}&set.flag=gate`, THREE),
    ]);
    expect(other.map(({ id }) => id)).toEqual([other[0]?.id, other[0]?.id]);
    expect(other[0]?.id).not.toBe(first.id);
    expect(await bench.rows()).toHaveLength(6);
    expect((await bench.server.ask("GET", `${P}/imports`)).body.items).toHaveLength(2);
    const { items } = (await bench.server.ask("GET", `${P}/changes?action=events.import`)).body;
    expect(items.map(({ target }: { target: { key: string } }) => target.key)).toContain(first.id);
  });

  test("keeps columns as attributes, and a column of JSON as it is", async () => {
    const file = 'unit,arm,at,country,attributes\nann,a,2019-03-01,DE,"{""plan"":""pro"",""n"":1.5}"\nbob,a,2019-03-01,,\n';
    await bench.import(`${ASSIGNMENTS}&extra=country`, file);
    expect((await bench.rows()).map((row) => row["attributes"])).toEqual([{ plan: "pro", n: 1.5, country: "DE" }, {}]);
  });
});

test("a pull of our own, in each format, is imported again with no mapping, and says the same", async () => {
  const file =
    'unit,arm,at,differs,attributes\n"q""uo,te\nx",a,2019-03-01,true,"{""a"":[1,null]}"\nzoë-😀,b,2019-03-02T00:00:00.001Z,FALSE,\n';
  await bench.import(ASSIGNMENTS, file);
  const metrics = '{"unit":"ann","name":"purchase","time":"2020-01-01T00:00:00Z","value":12.25,"properties":{"sku":"x"}}\n';
  await bench.import("kind=metric-events", metrics, NDJSON);
  const essence = (row: Readonly<Record<string, unknown>>): unknown[] =>
    ["time", "flag", "variant", "differs", "experiment", "unit", "attributes", "name", "value", "properties"].map(
      (name) => row[name] ?? null,
    );
  const before = { exposures: await bench.rows(), metrics: await bench.rows("metric-events") };
  for (const [format, headers] of [
    ["csv", CSV],
    ["ndjson", NDJSON],
    ["parquet", PARQUET],
  ] as const) {
    for (const name of ["exposures", "metric-events"] as const) {
      const pulled = await bench.server.app.inject({
        url: `${P}/${name}?format=${format}&environment=production`,
        headers: { authorization: `Bearer ${bench.server.adminToken}` },
      });
      const target = await bench.server.app.inject({
        method: "POST",
        url: `${P}/imports?environment=staging&kind=${name}`,
        headers: { authorization: `Bearer ${bench.server.adminToken}`, ...headers },
        payload: pulled.rawPayload,
      });
      expect(target.statusCode, target.body).toBe(201);
      expect(await bench.ended(target.json().id)).toMatchObject({ state: "finished", rejected: 0 });
    }
  }
  const copies = (rows: Readonly<Record<string, unknown>>[]): unknown[] =>
    rows.filter(({ environment }) => environment === "staging").map(essence);
  const threefold = <T>(rows: readonly T[]): T[] => [...rows, ...rows, ...rows];
  expect(copies(await bench.rows())).toEqual(threefold(before.exposures.map(essence)));
  expect(copies(await bench.rows("metric-events"))).toEqual(threefold(before.metrics.map(essence)));
});

describe("rows that are not fit", () => {
  test("are told by number, field, what was received and why; the others are stored", async () => {
    const file = [
      "unit,arm,at,epoch",
      "ann,a,2019-03-01,1",
      ",a,2019-03-01,1",
      "bob,a,yesterday,1",
      "cid,a,2019-02-30,1",
      "dan,a,2019-03-01 10:00:00,1",
      "eve,a,1551434400,1",
      "fay,a,2019-03-01,1.5",
      "gus,a,2019-03-01",
      `${"x".repeat(4_097)},a,2019-03-01,1`,
      "hal,,2019-03-01,1",
      "ivy,a,1969-12-31T23:59:59Z,1",
      "=1+1,a,2019-03-01,1",
      "",
      '"jo\nann",a,2019-03-01,1',
    ].join("\r\n");
    const view = await bench.import(ASSIGNMENTS, `\ufeff${file}\r\n`);
    expect(view).toMatchObject({ state: "finished", rows: 13, accepted: 3, rejected: 10 });
    expect((await bench.rows()).map(({ unit, seq }) => [unit, seq])).toEqual([
      ["ann", 1],
      ["=1+1", 12],
      ["jo\nann", 13],
    ]);
    expect(await bench.rejected(view.id)).toEqual([
      { row: 2, field: "unit", column: "unit", reason: "it is absent" },
      { row: 3, field: "time", column: "at", received: "yesterday", reason: "it is no moment such as 2026-11-22T10:00:00Z" },
      { row: 4, field: "time", column: "at", received: "2019-02-30", reason: "it is no moment such as 2026-11-22T10:00:00Z" },
      {
        row: 5,
        field: "time",
        column: "at",
        received: "2019-03-01 10:00:00",
        reason: "it has no zone; say with `zone` which one is meant: UTC or an offset such as +02:00",
      },
      {
        row: 6,
        field: "time",
        column: "at",
        received: "1551434400",
        reason: "it is a plain number; say with `timeUnit` what it counts: s, ms or us",
      },
      { row: 7, field: "epoch", column: "epoch", received: "1.5", reason: "it is no whole number from 0 on" },
      { row: 8, field: "", reason: "it has 3 cells and the header 4 (line 9)" },
      { row: 9, field: "unit", column: "unit", received: `${"x".repeat(200)}…`, reason: "it is longer than 4096 characters" },
      { row: 10, field: "variant", column: "arm", reason: "it is absent" },
      { row: 11, field: "time", column: "at", received: "1969-12-31T23:59:59Z", reason: "it is before 1970" },
    ]);
    const csv = await bench.server.ask("GET", `${P}/imports/${view.id}/rejected`);
    expect(csv.headers["content-disposition"]).toBe(`attachment; filename="rejected-${view.id}.csv"`);
    expect(csv.text.split("\r\n").slice(0, 3)).toEqual([
      "row,field,column,received,reason",
      "2,unit,unit,,it is absent",
      expect.stringMatching(/^3,time,at,yesterday,/),
    ]);
  });

  test("fault 50: formulas in what was rejected are neutralised in CSV and exact in NDJSON", async () => {
    const cells = ["=1+1", "+1", "-1", "@x", "\uff1dx"];
    const view = await bench.import(ASSIGNMENTS, `unit,arm,at\n${cells.map((cell) => `u,a,${cell}\n`).join("")}`);
    const csv = (await bench.server.ask("GET", `${P}/imports/${view.id}/rejected`)).text;
    expect(csv.match(/,at,'/g)).toHaveLength(5);
    expect((await bench.rejected(view.id)).map((row) => (row as { received: string }).received)).toEqual(cells);
  });

  test("bytes that are no UTF-8 cost their row, in CSV and in NDJSON", async () => {
    const csv = Buffer.concat([Buffer.from("unit,arm,at\nzo\xeb,a,2019-03-01\n", "latin1"), Buffer.from("zoë,a,2019-03-01\n")]);
    const first = await bench.import(ASSIGNMENTS, csv);
    expect([first.accepted, await bench.rejected(first.id)]).toEqual([
      1,
      [{ row: 1, field: "", column: "unit", reason: "it is no UTF-8 (line 2)" }],
    ]);
    const line = '{"unit":"a","arm":"a","at":"2019-03-01"}\n';
    const ndjson = Buffer.concat([Buffer.from(line), Buffer.from(line.replace('"a"', '"zo\xeb"'), "latin1")]);
    const second = await bench.import(ASSIGNMENTS, ndjson, NDJSON);
    expect([second.accepted, await bench.rejected(second.id)]).toEqual([1, [{ row: 2, field: "", reason: "it is no UTF-8" }]]);
  });

  test("lines of NDJSON stand for themselves: cut, none, too long, no object, numbers no double holds", async () => {
    const good = '{"unit":7,"arm":"a","at":"2019-03-01"}';
    const lines = [
      good,
      "",
      '{"unit":',
      "[1]",
      `{"unit":"${"x".repeat(1_048_576)}"}`,
      good.replace("7", "9007199254740993"),
      good,
    ];
    const view = await bench.import(ASSIGNMENTS, lines.join("\n"), NDJSON);
    expect(view).toMatchObject({ rows: 6, accepted: 2, rejected: 4 });
    expect((await bench.rows()).map(({ unit, seq }) => [unit, seq])).toEqual([
      ["7", 1],
      ["7", 7],
    ]);
    expect((await bench.rejected(view.id)).map((row) => (row as { row: number }).row)).toEqual([3, 4, 5, 6]);
  });
});

describe("a file that cannot be meant", () => {
  const broken: readonly [
    name: string,
    query: string,
    file: string | Buffer,
    headers: Record<string, string>,
    expected: object,
  ][] = [
    ["empty", ASSIGNMENTS, "", CSV, { code: "unreadable_file", reason: "it is empty" }],
    ["blank", ASSIGNMENTS, "\n\n", CSV, { code: "unreadable_file", reason: "it is empty" }],
    [
      "with a column twice",
      ASSIGNMENTS,
      "unit,at,unit\n",
      CSV,
      { code: "unreadable_file", reason: 'its header has the column "unit" twice' },
    ],
    [
      "in UTF-16",
      ASSIGNMENTS,
      Buffer.from("\ufeffunit", "utf16le"),
      CSV,
      { code: "unreadable_file", reason: "it is UTF-16; save it as UTF-8" },
    ],
    ["without a column", ASSIGNMENTS, "unit;arm;at\n", CSV, { code: "invalid_field", field: "unit", allowed: ["unit;arm;at"] }],
    ["without a kept column", `${ASSIGNMENTS}&extra=plan`, "unit,arm,at\n", CSV, { code: "invalid_field", field: "extra" }],
    ["no NDJSON", ASSIGNMENTS, "unit,arm,at\n", NDJSON, { code: "unreadable_file" }],
    ["no Parquet", ASSIGNMENTS, "PAR1 or not", PARQUET, { code: "unreadable_file" }],
    ["no gzip", ASSIGNMENTS, "unit", { ...CSV, "content-encoding": "gzip" }, { code: "invalid_encoding" }],
    [
      "half a gzip",
      ASSIGNMENTS,
      gzipSync(THREE).subarray(0, 40),
      { ...CSV, "content-encoding": "gzip" },
      { code: "invalid_encoding" },
    ],
    ["of another type", ASSIGNMENTS, "{}", { "content-type": "application/json" }, { code: "unsupported_media_type" }],
    ["with a typo", `${ASSIGNMENTS}&varaint=arm`, THREE, CSV, { code: "unknown_field", field: "varaint" }],
    ["with the other kind's field", `${ASSIGNMENTS}&value=v`, THREE, CSV, { code: "unknown_field", field: "value" }],
    ["with no such zone", `${ASSIGNMENTS}&zone=Mars`, THREE, CSV, { code: "invalid_field", field: "zone" }],
    ["with a value that is none", `${ASSIGNMENTS}&set.epoch=x`, THREE, CSV, { code: "invalid_field", field: "set.epoch" }],
    ["of two subjects", `${ASSIGNMENTS}&set.release=r`, THREE, CSV, { code: "invalid_field", field: "set.experiment" }],
  ];

  test.each(broken)("%s is refused at once, and nothing is left of it", async (_, query, file, headers, expected) => {
    const sent = await bench.send(query, file, headers);
    expect(sent.status).toBeGreaterThanOrEqual(400);
    expect(sent.body).toMatchObject(expected);
    expect((await bench.server.ask("GET", `${P}/imports`)).body.items).toEqual([]);
    expect(await bench.rows()).toEqual([]);
  });

  test("a quote that is never closed, 50,000 rows in, is found before any row counts", async () => {
    const rows = Array.from({ length: 50_000 }, (_, index) => `u${index},a,2019-03-01\n`);
    rows[40_000] = 'u,"a,2019-03-01\n';
    const view = await bench.import(ASSIGNMENTS, `unit,arm,at\n${rows.join("")}`);
    expect(view).toMatchObject({ state: "failed", rows: 0, accepted: 0 });
    expect(view.fault).toMatch(/^row 40001, line \d+: (a quote is opened and never closed|it is longer than 1 MiB)/);
    expect(await bench.rows()).toEqual([]);
  });

  test("a Parquet file cut off or damaged in the middle stores nothing", async () => {
    const whole = await parquetOf(
      bench.folder,
      "select 'u' || i as unit, 'a' as arm, timestamptz '2019-03-01' as at from range(100000) t(i)",
    );
    const cut = await bench.send(ASSIGNMENTS, whole.subarray(0, whole.length / 2), PARQUET);
    expect([cut.status, cut.body.code]).toEqual([422, "unreadable_file"]);
    expect(cut.body.reason).not.toContain(bench.folder.path);
    const damaged = Buffer.from(whole).fill(0xff, 1_000, 60_000);
    const view = await bench.import(ASSIGNMENTS, damaged, PARQUET);
    expect(view).toMatchObject({ state: "failed", rows: 0, accepted: 0 });
    expect(await bench.rows()).toEqual([]);
  });

  test("a gzip of more than the bound is refused with 413", async () => {
    await bench.close();
    bench = await importBench({ fileBytesMax: 10_000 });
    const sent = await bench.send(ASSIGNMENTS, gzipSync(Buffer.alloc(10_000_000)), { ...CSV, "content-encoding": "gzip" });
    expect([sent.status, sent.body.code]).toEqual([413, "body_too_large"]);
  });
});

test("Parquet's own types: whole numbers beyond a double's, moments with and without a zone, structs", async () => {
  const sql = `select 9007199254740993::bigint as unit, 'a' as arm, timestamp '2019-03-01 10:00:00' as at, {'n': 1} as attributes, 3::double as d`;
  const file = await parquetOf(bench.folder, sql);
  expect((await bench.send(ASSIGNMENTS, file, PARQUET)).body).toMatchObject({
    code: "unreadable_file",
    reason: expect.stringContaining("zone") as string,
  });
  await bench.import(`${ASSIGNMENTS}&zone=%2B02:00&extra=d`, file, PARQUET);
  expect(await bench.rows()).toMatchObject([
    { unit: "9007199254740993", time: "2019-03-01T08:00:00.000Z", attributes: { n: 1, d: 3 } },
  ]);
});

test("numbers as times in s, ms and us; semicolons; truth values as 1 and 0", async () => {
  for (const [unit, digits] of [
    ["s", ""],
    ["ms", "000"],
    ["us", "000000"],
  ] as const) {
    const query = `kind=metric-events&set.name=kept&timeUnit=${unit}&delimiter=semicolon`;
    await bench.import(
      query,
      `unit;time;value\nann;1551434400${digits};TRUE\nbob;1551434400${digits};false\ncid;1551434400${digits};\n`,
    );
  }
  const rows = await bench.rows("metric-events");
  expect(rows.map(({ value }) => value)).toEqual([1, 0, null, 1, 0, null, 1, 0, null]);
  expect(new Set(rows.map(({ time }) => time))).toEqual(new Set(["2019-03-01T10:00:00.000Z"]));
});

test("an import shows to those who may see its environment, and as no late exposures in the ledger", async () => {
  const { id } = await bench.import(ASSIGNMENTS, THREE);
  const token = async (environments: string[]): Promise<string> =>
    (await bench.server.ask("POST", "/api/v1/tokens", { name: "t", role: "analyst", environments })).body.secret;
  const seen = async (as: string): Promise<number> =>
    (await bench.server.ask("GET", `${P}/imports/${id}`, undefined, { as })).status;
  expect([await seen(await token(["production"])), await seen(await token(["staging"]))]).toEqual([200, 404]);
  const lines = await bench.events.ledger({ project: "default" });
  expect(lines.map(({ variant, stored, late }) => [variant, stored, late])).toEqual([
    ["control", 1, 0],
    ["treatment", 2, 0],
  ]);
});
