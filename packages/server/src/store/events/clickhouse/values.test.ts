import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TempDir, tempDir } from "@belay/testkit";
import { DuckDBInstance } from "@duckdb/node-api";
import { tableFromIPC } from "apache-arrow";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { rowsOf } from "../event-store.contract.ts";
import type { EventKind, EventQuery, EventStore, PullFormat } from "../event-store.ts";
import { batchOf, exposureOf, metricOf, TEN_OCLOCK } from "../events.fixture.ts";
import { openEventStore } from "../index.ts";
import { newDatabase, withClickHouse } from "./clickhouse.fixture.ts";
import { identifier, text, whole } from "./sql.ts";

withClickHouse("values in ClickHouse", (server) => {
  const database = newDatabase();
  const folders: TempDir[] = [];
  let clickHouse: EventStore;
  let duckDb: EventStore;

  beforeAll(async () => {
    const [one, two] = [await tempDir("values"), await tempDir("values")];
    folders.push(one, two);
    clickHouse = await openEventStore({ directory: one.path, clickHouse: { urls: [`${server().url}/${database}`] } });
    duckDb = await openEventStore({ directory: two.path, database: "here" });
  });
  afterAll(async () => {
    await clickHouse.close();
    await duckDb.close();
    await server().query(`drop database if exists ${database}`);
    for (const folder of folders) await folder.remove();
  });

  /** What a pull writes, without the cursors, which are each engine's own. */
  async function written(store: EventStore, project: string, kind: EventKind, format: PullFormat): Promise<string> {
    const { pages } = await store.pull({ project, kind, format });
    const chunks: Uint8Array[] = [];
    for await (const page of pages) chunks.push(page);
    return Buffer.concat(chunks)
      .toString()
      .replace(/"cursor":"\d+"/g, "")
      .replace(/,"\d+"\r\n/g, "\r\n");
  }

  /** What other tools read in the documents of a pull, without the cursors. */
  async function inDocuments(
    store: EventStore,
    project: string,
    kind: EventKind,
  ): Promise<{ arrow: string[]; parquet: string[] }> {
    const bytes = async (format: PullFormat): Promise<Buffer> => {
      const { pages } = await store.pull({ project, kind, format });
      const chunks: Uint8Array[] = [];
      for await (const page of pages) chunks.push(page);
      return Buffer.concat(chunks);
    };
    const shown = (row: object): string =>
      JSON.stringify(row, (name, value: unknown) =>
        name === "cursor" ? undefined : typeof value === "bigint" ? String(value) : value,
      );
    const arrow = tableFromIPC(await bytes("arrow"))
      .toArray()
      .map((row) => shown((row as { toJSON(): object }).toJSON()));
    const path = join(folders[0]?.path ?? "", `${kind}.parquet`);
    await writeFile(path, await bytes("parquet"));
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    const read = await connection.runAndReadAll(`select * from '${path}' order by cursor::bigint`);
    const parquet = read.getRowObjectsJson().map(shown);
    connection.closeSync();
    instance.closeSync();
    return { arrow, parquet };
  }

  test("any text is a literal that means just it: 300 of any characters, lone surrogates as U+FFFD", async () => {
    const texts = fc.sample(fc.string({ unit: "binary", maxLength: 40 }), { numRuns: 300, seed: 8 });
    const answers = (await server().query(`select ${texts.map((one) => `hex(${text(one)})`).join(", ")} format TSVRaw`)).split(
      "\t",
    );
    expect(answers).toEqual(texts.map((one) => Buffer.from(one).toString("hex").toUpperCase()));
  });

  test("strange text is written as by the embedded database: the same CSV, and JSON that means the same", async () => {
    const strange = [
      ...["=1+1", "+1", "-1", "@sum(a)", "\t=1", "\r=1", "\u3000=1", "＝1", "＋1", "－1", "＠1", "\u22121", "\ufeff=1", "a=1"],
      ...[
        "",
        '"',
        '""',
        "\\",
        "\\u0041",
        "'",
        "\\'",
        "a,b",
        "a\r\nb",
        "\u0000",
        "\u0001\u001f\u007f",
        "\u2028",
        "😀",
        "%s",
        "\ud800",
      ],
    ].filter((unit) => unit !== "");
    const exposures = strange.map((unit, index) =>
      exposureOf(index + 1, { unit, variant: unit.slice(0, 100), rule: unit.slice(0, 100), attributes: { [unit]: unit } }),
    );
    const metrics = strange.map((name, index) =>
      metricOf(exposures.length + index + 1, { name, unit: name, properties: { [name]: [name] } }),
    );
    const batch = batchOf({ project: "strange", sdk: '=x"\\', exposures, metrics });
    for (const store of [clickHouse, duckDb]) await store.append(batch);
    for (const kind of ["exposures", "metrics"] as const) {
      expect(await written(clickHouse, "strange", kind, "csv")).toBe(await written(duckDb, "strange", kind, "csv"));
      const rows = await rowsOf(clickHouse, { project: "strange", kind });
      const others = await rowsOf(duckDb, { project: "strange", kind });
      expect(rows.map(({ cursor: _, ...row }) => row)).toEqual(others.map(({ cursor: _, ...row }) => row));
      expect(rows).toHaveLength(strange.length);
    }
  });

  test("3,000 doubles of any bits come back as they were, the smallest and the largest among them", async () => {
    const doubles = [
      ...[0, -0, 5e-324, Number.MIN_VALUE, Number.MAX_VALUE, -Number.MAX_VALUE, 2 ** 53 + 2, 0.1 + 0.2, 1e21, 1e-7],
      ...fc.sample(fc.double({ noNaN: true, noDefaultInfinity: true }), { numRuns: 3_000, seed: 9 }),
    ];
    const metrics = doubles.map((value, index) => metricOf(index + 1, { value }));
    await clickHouse.append(batchOf({ project: "doubles", metrics }));
    const values = (await rowsOf(clickHouse, { project: "doubles", kind: "metrics" })).map((row) => row["value"] as number);
    // JSON as JavaScript writes it knows no negative zero.
    expect(values.filter((value, index) => value !== doubles[index])).toEqual([]);
    expect(values).toHaveLength(doubles.length);
  });

  test("times of any year from 1970 to 9999 are written to the millisecond, whatever the server's zone", async () => {
    const last = 253_402_300_799_999;
    const times = [
      ...[0, 1, 999, 951_782_400_000, 951_868_799_999, 1_709_164_800_000, 4_107_542_400_000, 4_294_967_295_999, last],
      ...fc.sample(fc.integer({ min: 0, max: last }), { numRuns: 1_000, seed: 10 }),
    ];
    await clickHouse.append(
      batchOf({ project: "times", exposures: times.map((timeMs, index) => exposureOf(index + 1, { timeMs })) }),
    );
    const written = (await rowsOf(clickHouse, { project: "times" })).map((row) => row["time"]);
    expect(written).toEqual(times.map((timeMs) => new Date(timeMs).toISOString()));
  });

  test("whole numbers up to 2^53 - 1 and offsets of either sign are exact", async () => {
    const most = Number.MAX_SAFE_INTEGER;
    const clocks = [-most, -1, 0, most];
    for (const [index, clockOffsetMs] of clocks.entries()) {
      const exposures = [exposureOf(most, { epoch: most, revision: most })];
      await clickHouse.append(batchOf({ project: "whole", instance: `i${index}`, clockOffsetMs, exposures }));
    }
    const rows = await rowsOf(clickHouse, { project: "whole" });
    expect(rows.map((row) => row["clock_offset_ms"])).toEqual(clocks);
    expect(rows.map((row) => [row["seq"], row["epoch"], row["revision"]])).toEqual(clocks.map(() => [most, most, most]));
  });

  test("Parquet and Arrow hold what the embedded database's hold: JSON to the byte, times, doubles, nothing at all", async () => {
    const project = "documents";
    const control = "nul\u0000 bell\u0007";
    const exposures = [
      exposureOf(1, {
        unit: control,
        differs: true,
        attributes: { b: 1, a: [1.5, -0, 1e-7], nested: { ü: null, "": "\u2028" } },
      }),
      exposureOf(2, {
        unit: "q\"'\\,\n😀",
        differs: false,
        timeMs: 253_402_300_799_999,
        attributes: { control, lone: "\ud800" },
      }),
      exposureOf(3, { rule: "r", timeMs: 0 }),
      ...Array.from({ length: 5_000 }, (_, index) => exposureOf(index + 4)),
    ];
    const metrics = [0.1 + 0.2, 1e21, -1e-300, 5e-324, -0.5].map((value, index) => metricOf(6_000 + index, { value }));
    for (const store of [clickHouse, duckDb]) await store.append(batchOf({ project, exposures, metrics }));
    for (const [kind, rows] of [
      ["exposures", 5_003],
      ["metrics", 5],
    ] as const) {
      const [theirs, ours] = [await inDocuments(clickHouse, project, kind), await inDocuments(duckDb, project, kind)];
      expect([theirs.arrow.length, theirs.parquet.length]).toEqual([rows, rows]);
      expect(theirs).toEqual(ours);
    }
    expect(await inDocuments(clickHouse, "nobody", "exposures")).toEqual({ arrow: [], parquet: [] });
  });

  test("people find first exposures, evaluations per minute and plain times by SQL", async () => {
    const seen = (seq: number, unit: string, variant: string) => exposureOf(seq, { unit, variant });
    const counts = [
      { flag: "f", variant: "on", count: 5 },
      { flag: "f", count: 1 },
    ];
    const project = "people";
    const exposures = [seen(1, "ann", "on"), seen(2, "bob", "off"), seen(3, "ann", "off")];
    await clickHouse.append(batchOf({ project, batchId: "1", exposures, counts, receivedAtMs: TEN_OCLOCK }));
    await clickHouse.append(batchOf({ project, batchId: "2", counts, receivedAtMs: TEN_OCLOCK + 59_999 }));
    await clickHouse.append(batchOf({ project, batchId: "3", counts, receivedAtMs: TEN_OCLOCK + 60_000 }));
    expect(await clickHouse.settle()).toBe(0);
    const ask = async (sql: string) => (await server().query(sql)).split("\n").map((line) => line.split("\t"));
    const firsts = () =>
      ask(`select unit, first_variant, is_crossed, first_differs, kind, key from ${database}.first_exposures
        where project = '${project}' order by unit`);
    expect(await firsts()).toEqual([
      ["ann", "on", "1", "\\N", "experiment", "checkout-test"],
      ["bob", "off", "0", "\\N", "experiment", "checkout-test"],
    ]);
    // History that arrives later is earlier all the same; a sender's clock that is hours off is set right.
    const year = 365 * 86_400_000;
    const history = [
      exposureOf(1, { unit: "ann", variant: "off", differs: true, timeMs: TEN_OCLOCK - year }),
      exposureOf(2, { unit: "bob", variant: "on", differs: false, timeMs: TEN_OCLOCK - 3_600_000 }),
    ];
    await clickHouse.append(batchOf({ project, instance: "import-1", exposures: history.slice(0, 1), receivedAtMs: TEN_OCLOCK }));
    await clickHouse.append(
      batchOf({ project, instance: "slow", exposures: history.slice(1), clockOffsetMs: 7_200_000, receivedAtMs: TEN_OCLOCK }),
    );
    expect(await clickHouse.settle()).toBe(0);
    expect(await firsts()).toEqual([
      ["ann", "off", "1", "1", "experiment", "checkout-test"],
      ["bob", "off", "1", "\\N", "experiment", "checkout-test"],
    ]);
    expect(
      await ask(`select minute, variant, evaluations from ${database}.evaluation_counts
        where project = '${project}' order by minute, evaluations`),
    ).toEqual([
      ["2026-11-22 10:00:00", "\\N", "2"],
      ["2026-11-22 10:00:00", "on", "10"],
      ["2026-11-22 10:01:00", "\\N", "1"],
      ["2026-11-22 10:01:00", "on", "5"],
    ]);
    expect(
      await ask(`select distinct time, received_at from ${database}.exposures
        where project = '${project}' and instance = 'instance-1'`),
    ).toEqual([["2026-11-22 10:00:00", "2026-11-22 10:00:00"]]);
  });

  test("a query as it is printed finds on the server itself what a pull brings", async () => {
    const project = "printed";
    const exposures = [
      exposureOf(1, { unit: "it's", differs: true, attributes: { note: "\\ ' \" \n" } }),
      exposureOf(2, { unit: "it's", differs: false }),
      exposureOf(3, { unit: "other", differs: true, rule: "r" }),
    ];
    const metrics = [metricOf(4, { unit: "it's", value: 0.1, properties: { a: 1 } }), metricOf(5, { unit: "other" })];
    const early = { receivedAtMs: TEN_OCLOCK - 1, instance: "early", exposures: exposures.slice(0, 1) };
    await clickHouse.append(batchOf({ project, ...early }));
    await clickHouse.append(batchOf({ project, environment: "staging", exposures }));
    await clickHouse.append(batchOf({ project, exposures, metrics, receivedAtMs: TEN_OCLOCK + 1_234 }));
    expect(await clickHouse.settle()).toBe(0);
    const filtered: readonly [EventQuery, number][] = [
      [{ kind: "exposures", project }, 7],
      [
        { kind: "exposures", project, environments: ["production"], unit: "it's", fromMs: TEN_OCLOCK, toMs: TEN_OCLOCK + 1_235 },
        2,
      ],
      [{ kind: "exposures", project, environments: ["production", "staging"], differs: true, variant: "treatment" }, 5],
      [{ kind: "exposures", project, environments: [] }, 0],
      [{ kind: "metrics", project, name: "purchase" }, 2],
    ];
    for (const [query, count] of filtered) {
      const { dialect, sql } = clickHouse.print(query, "printed*.parquet");
      expect(dialect).toBe("clickhouse");
      const lines = (await server().query(`${sql} format JSONEachRow`)).split("\n").filter((line) => line !== "");
      const printed = lines.map((line) => plain(JSON.parse(line) as Row));
      const pulled = await rowsOf(clickHouse, query);
      expect(printed).toHaveLength(count);
      expect(printed).toEqual(
        pulled.map(({ time, received_at, attributes, properties, ...row }) =>
          plain({
            ...row,
            time_ms: Date.parse(String(time)),
            received_at_ms: Date.parse(String(received_at)),
            ...(query.kind === "exposures"
              ? { attributes: attributes && JSON.stringify(attributes) }
              : { properties: properties && JSON.stringify(properties) }),
          }),
        ),
      );
    }
  });

  test("what has no literal is refused", () => {
    for (const value of [-1, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY]) expect(() => whole(value)).toThrow(RangeError);
    for (const name of ["", "a b", "a`b", "a.b", "1a", "a;drop", "ä"])
      expect(() => identifier(name)).toThrow("cannot be the name");
  });
});

type Row = Readonly<Record<string, unknown>>;

/** Values as text: ClickHouse writes long integers as text, and truth as 1 and 0. */
function plain(row: Row): Row {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      value === null ? null : String(typeof value === "boolean" ? Number(value) : value),
    ]),
  );
}
