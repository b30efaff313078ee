import { execFile } from "node:child_process";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { seeded, tempDir } from "@belay/testkit";
import { DuckDBInstance, type DuckDBValue } from "@duckdb/node-api";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ArmCell } from "../aggregate/request.ts";
import type { IncomingBatch } from "../event-store.ts";
import { batchOf, exposureOf, TEN_OCLOCK } from "../events.fixture.ts";
import { Received } from "../received.ts";
import { encodeBatch } from "../spool/batch-frame.ts";
import { withoutDiffers } from "../spool/earlier-frames.fixture.ts";
import { EventDatabase } from "./database.ts";
import { firstMet, SETTLE_FIRST_MET } from "./first-met-sql.ts";

let directory: string;
let spoolDirectory: string;
let remove: () => Promise<void>;
let segments = 0;

beforeEach(async () => {
  const folder = await tempDir("duckdb");
  directory = join(folder.path, "duckdb");
  spoolDirectory = join(folder.path, "spool");
  remove = folder.remove;
  await mkdir(spoolDirectory);
});
afterEach(() => remove());

/** Loads batches as one segment. */
async function load(database: EventDatabase, spool: string, number: number, batches: readonly IncomingBatch[]): Promise<void> {
  segments += 1;
  const path = join(spoolDirectory, `${segments}.ndjson`);
  let position = 1_000 * number;
  const frames = batches.flatMap((batch) => {
    const encoded = encodeBatch(batch, claim(), position);
    position += encoded.accepted;
    return encoded.frames;
  });
  await writeFile(path, Buffer.concat(frames));
  await database.load([{ spool, number, path }]);
}

const claim = () => new Received().claim("any", 1);

const BUILT = fileURLToPath(new URL("../../../../dist/store/events/duckdb/database.js", import.meta.url));

test.each([1, 4, 8])(
  "fault 55: a file that there was room for %i KiB of when it was made is made again once there is more",
  async (kib) => {
    const open = `import(process.argv[1]).then(({ EventDatabase }) => EventDatabase.open(JSON.parse(process.argv[2])))`;
    const options = { directory, spoolDirectory };
    const command = `ulimit -f ${kib}; exec "$@"`;
    const args = ["-c", command, "bash", process.execPath, "-e", open, BUILT, JSON.stringify(options)];
    await expect(promisify(execFile)("bash", args)).rejects.toThrow();
    const database = await EventDatabase.open(options);
    await load(database, "s", 1, [batchOf({ exposures: [exposureOf(1)] })]);
    expect(await extent(database)).toMatchObject({ rows: 1 });
    await database.close();
    expect((await readdir(directory)).filter((name) => name.includes(".new"))).toEqual([]);
  },
);

/** What a person finds in the file with a tool of theirs. */
async function ask(sql: string): Promise<DuckDBValue[][]> {
  const instance = await DuckDBInstance.create(join(directory, "events.duckdb"));
  const connection = await instance.connect();
  const rows = (await connection.runAndReadAll(sql)).getRows();
  connection.closeSync();
  instance.closeSync();
  return rows;
}

const extent = (database: EventDatabase) => database.extent({ kind: "exposures", project: "default" });

test("a unit's first exposure is its earliest, of those of one moment the first to arrive, and another variant is noted", async () => {
  const database = await EventDatabase.open({ directory, spoolDirectory });
  const seen = (seq: number, unit: string, variant: string, epoch = 1) =>
    exposureOf(seq, { unit, variant, epoch, timeMs: TEN_OCLOCK });
  await load(database, "a", 1, [batchOf({ exposures: [seen(1, "ann", "on"), seen(2, "bob", "off"), seen(3, "ann", "on")] })]);
  await load(database, "a", 2, [batchOf({ exposures: [seen(4, "ann", "off"), seen(5, "bob", "off"), seen(6, "bob", "on", 2)] })]);
  await database.close();
  expect(
    await ask("select unit, epoch::int, variant, position::int, is_crossed, kind, key from first_exposures order by unit, epoch"),
  ).toEqual([
    ["ann", 1, "on", 1_000, true, "experiment", "checkout-test"],
    ["bob", 1, "off", 1_001, false, "experiment", "checkout-test"],
    ["bob", 2, "on", 2_002, false, "experiment", "checkout-test"],
  ]);
});

test("first exposures of 210,000 units are folded in as they grow, and say the same", async () => {
  const database = await EventDatabase.open({ directory, spoolDirectory });
  const unitsOf = (from: number, to: number, variant: string) =>
    batchOf({
      exposures: Array.from({ length: to - from }, (_, index) =>
        exposureOf(from + index + 1, { variant, unit: `u${from + index}` }),
      ),
    });
  await load(database, "a", 1, [unitsOf(0, 210_000, "on")]);
  await load(database, "a", 1_000, [unitsOf(209_990, 210_010, "off")]);
  await database.close();
  expect(await ask("select count(*)::int from first_met_settled")).toEqual([[210_000]]);
  expect(await ask("select count(*)::int from first_met_fresh")).toEqual([[20]]);
  expect(await ask("select variant, is_crossed, count(*)::int from first_exposures group by all order by all")).toEqual([
    ["off", false, 10],
    ["on", false, 209_990],
    ["on", true, 10],
  ]);
});

test("history imported later comes before what was there, settled or not, with whether it differs", async () => {
  let database = await EventDatabase.open({ directory, spoolDirectory });
  let seq = 0;
  const seen = (unit: string, variant: string, timeMs: number, differs?: boolean) =>
    exposureOf(++seq, { unit, variant, timeMs, ...(differs === undefined ? {} : { differs }) });
  const live = [seen("ann", "on", TEN_OCLOCK, true), seen("bob", "on", TEN_OCLOCK), seen("eve", "on", TEN_OCLOCK, false)];
  await load(database, "a", 1, [batchOf({ exposures: live })]);
  await database.close();
  for (const statement of SETTLE_FIRST_MET) await ask(statement);
  database = await EventDatabase.open({ directory, spoolDirectory });
  const year = 365 * 86_400_000;
  const history = [
    seen("ann", "off", TEN_OCLOCK - year),
    seen("bob", "on", TEN_OCLOCK - year, true),
    seen("eve", "on", TEN_OCLOCK + 1),
  ];
  await load(database, "a", 2, [batchOf({ sdk: "import", instance: "import-1", exposures: history })]);
  await database.close();
  const firsts = () =>
    ask("select unit, variant, epoch_ms(time)::double, differs, is_crossed from first_exposures order by unit");
  const expected = [
    ["ann", "off", TEN_OCLOCK - year, null, true],
    ["bob", "on", TEN_OCLOCK - year, true, false],
    ["eve", "on", TEN_OCLOCK, false, false],
  ];
  expect(await firsts()).toEqual(expected);
  for (const statement of SETTLE_FIRST_MET) await ask(statement);
  expect(await firsts()).toEqual(expected);
  expect(await ask("select count(*)::int from first_met_fresh")).toEqual([[0]]);
});

test("first exposures are those that analysis goes by, however loads, clocks, retention and folding lie", async () => {
  const dice = seeded(3);
  const key = "checkout-test";
  const request = {
    project: "default",
    environment: "production",
    subject: { experiment: key },
    fromMs: 0,
    asOfMs: 4e12,
    segments: [],
    metrics: [],
  };
  for (let segment = 1; segment <= 8; segment += 1) {
    const exposures = Array.from({ length: 60 }, (_, index) =>
      exposureOf(index + 1, {
        unit: `u${dice.below(40)}`,
        variant: dice.below(2) === 0 ? "on" : "off",
        timeMs: TEN_OCLOCK + dice.below(1_000),
      }),
    );
    const clockOffsetMs = [0, 250, -7_200_000][dice.below(3)] ?? 0;
    const database = await EventDatabase.open({ directory, spoolDirectory });
    await load(database, "a", segment, [batchOf({ exposures, clockOffsetMs, receivedAtMs: TEN_OCLOCK + segment * 60_000 })]);
    if (segment === 6) expect(await database.retain("default", TEN_OCLOCK + 3 * 60_000)).toBe(120);
    const { arms } = await database.aggregate(request);
    await database.close();
    expect(
      await ask(`select variant, count(*)::double, count(*) filter (is_crossed)::double
        from first_exposures where key = '${key}' group by variant order by variant`),
    ).toEqual(["off", "on"].map((variant) => sumOf(arms.filter((arm) => arm.variant === variant))));
    expect(
      await ask(`select unit, position from (${firstMet("exposures")}) group by unit, position
        having position not in (select position from first_met_settled union all select position from first_met_fresh)`),
    ).toEqual([]);
    if (segment % 3 === 0) for (const statement of SETTLE_FIRST_MET) await ask(statement);
  }
});

function sumOf(arms: readonly ArmCell[]): readonly [variant: string | undefined, units: number, crossed: number] {
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  return [arms[0]?.variant, sum(arms.map(({ units }) => units)), sum(arms.map(({ crossed }) => crossed))];
}

test("a segment loaded twice is there once; the same number of another spool is another segment, above all before it", async () => {
  let database = await EventDatabase.open({ directory, spoolDirectory });
  const one = [batchOf({ exposures: [exposureOf(1)] })];
  await load(database, "a", 7, one);
  await load(database, "a", 7, one);
  expect(await extent(database)).toEqual({ rows: 1, first: 7_000, last: 7_000 });
  await database.close();
  database = await EventDatabase.open({ directory, spoolDirectory });
  await load(database, "a", 7, one);
  await load(database, "b", 7, one);
  await load(database, "b", 8, one);
  expect(await extent(database)).toEqual({ rows: 3, first: 7_000, last: 15_000 });
  await database.close();
});

test("a segment that cannot be read leaves nothing behind, and the next one is loaded", async () => {
  const database = await EventDatabase.open({ directory, spoolDirectory });
  const path = join(spoolDirectory, "broken.ndjson");
  await writeFile(path, '{"crc":"0","frame":{"position":1,"exposures":{"seq":["x"]}}}\n');
  await expect(database.load([{ spool: "a", number: 1, path }])).rejects.toThrow();
  await expect(database.load([{ spool: "a", number: 1, path: "/etc/passwd" }])).rejects.toThrow(/Permission/);
  expect(await extent(database)).toEqual({ rows: 0 });
  await load(database, "a", 2, [batchOf({ exposures: [exposureOf(1)] })]);
  expect(await extent(database)).toEqual({ rows: 1, first: 2_000, last: 2_000 });
  await database.close();
});

test("what is erased and forgotten stays counted in the ledger, also once 200,000 tallies were added up", async () => {
  const database = await EventDatabase.open({ directory, spoolDirectory });
  const instances = Array.from({ length: 200_000 }, (_, index) => batchOf({ instance: `i${index}`, exposures: [exposureOf(1)] }));
  await load(database, "a", 1, instances);
  await load(database, "a", 1_000, [
    batchOf({ instance: "i7", exposures: [exposureOf(2, { unit: "gone", timeMs: TEN_OCLOCK - 60_000 })] }),
  ]);
  expect(await database.erase("default", "gone")).toBe(1);
  const lines = await database.ledger({ project: "default" });
  expect(lines).toHaveLength(200_000);
  expect(lines.find(({ instance }) => instance === "i7")).toMatchObject({ stored: 2, late: 1 });
  await database.close();
});

test("evaluations are counted per flag, variant and minute", async () => {
  const database = await EventDatabase.open({ directory, spoolDirectory });
  const minute = 60_000;
  const counted = (receivedAtMs: number, batchId: string) =>
    batchOf({
      batchId,
      receivedAtMs,
      counts: [
        { flag: "f", variant: "on", count: 5 },
        { flag: "f", count: 1 },
      ],
    });
  await load(database, "a", 1, [counted(10 * minute, "1"), counted(10 * minute + 59_999, "2"), counted(11 * minute, "3")]);
  await database.close();
  expect(
    await ask("select epoch_ms(minute)::int, variant, evaluations::int from evaluation_counts order by all nulls last"),
  ).toEqual([
    [10 * minute, "on", 10],
    [10 * minute, null, 2],
    [11 * minute, "on", 5],
    [11 * minute, null, 1],
  ]);
});

test("a file and a segment of a version that did not know whether decisions differ are taken up", async () => {
  await (await EventDatabase.open({ directory, spoolDirectory })).close();
  await ask("alter table exposures drop column differs");
  for (const table of ["settled", "fresh"]) await ask(`drop table first_met_${table}`);
  await ask("create table first_exposures_settled as select 'ann' as unit");
  const database = await EventDatabase.open({ directory, spoolDirectory });
  const [frame = Buffer.alloc(0)] = encodeBatch(batchOf({ exposures: [exposureOf(1), exposureOf(2)] }), claim(), 1).frames;
  const path = join(spoolDirectory, "earlier.ndjson");
  await writeFile(path, withoutDiffers(frame));
  await database.load([{ spool: "a", number: 1, path }]);
  await load(database, "a", 2, [batchOf({ exposures: [exposureOf(3, { differs: false })] })]);
  await database.close();
  expect(await ask("select seq::int, differs from exposures order by position")).toEqual([
    [1, null],
    [2, null],
    [3, false],
  ]);
  expect(await ask("select unit, differs from first_exposures order by unit")).toEqual([
    ["user-1", null],
    ["user-2", null],
    ["user-3", false],
  ]);
});

test("what is kept of an experiment and does not add up is made again from the events", async () => {
  const first = await EventDatabase.open({ directory, spoolDirectory });
  const seen = (seq: number, unit: string) => exposureOf(seq, { unit, variant: "on" });
  await load(first, "a", 1, [batchOf({ exposures: [seen(1, "ann"), seen(2, "bob")] })]);
  const metrics = [{ key: "m", value: { kind: "count", events: { name: "visit" } }, window: { fromMs: 0 } }] as const;
  const request = {
    ...{ project: "default", environment: "production", subject: { experiment: "checkout-test" } },
    ...{ fromMs: 0, asOfMs: TEN_OCLOCK, segments: [], metrics },
  };
  const units = async (database: EventDatabase) => (await database.aggregate(request)).outcomes.map(({ n }) => n);
  expect(await units(first)).toEqual([2]);
  await first.close();
  const [[table]] = (await ask("select 'aggregate_' || id || '_sums' from aggregates")) as [[string]];
  await ask(`update ${table} set n = 7`);
  const second = await EventDatabase.open({ directory, spoolDirectory });
  expect(await units(second)).toEqual([2]);
  await second.close();
  await ask(`update ${table} set f0_0 = 5`);
  await ask("update aggregates set refreshes = 1000");
  const third = await EventDatabase.open({ directory, spoolDirectory });
  expect((await third.aggregate(request)).outcomes.map(({ first: [sum] }) => sum)).toEqual([0]);
  await third.close();
});

test("a segment of more than a hundred values tells a hundred apart and holds the others together, whoever comes later", async () => {
  const database = await EventDatabase.open({ directory, spoolDirectory });
  const of = (seq: number, name: string) => exposureOf(seq, { unit: `u${seq}`, attributes: { name } });
  // Every name is of one unit but the last, of which there are three.
  const first = Array.from({ length: 130 }, (_, at) => of(at + 1, `name-${String(at).padStart(3, "0")}`));
  await load(database, "a", 1, [batchOf({ exposures: [...first, of(131, "name-129"), of(132, "name-129")] })]);
  const { environment, experiment } = { environment: "production", experiment: "checkout-test" };
  const asked = {
    project: "default",
    environment,
    subject: { experiment },
    fromMs: 0,
    asOfMs: 1,
    segments: ["name"],
    metrics: [],
  };
  const counted = async (): Promise<ReadonlyMap<string, number>> => {
    const { arms } = await database.aggregate(asked);
    const cells = arms.flatMap(({ segment, units }) => (segment === undefined ? [] : [[segment.value, units] as const]));
    const sums = new Map<string, number>();
    for (const [value, units] of cells) sums.set(value, (sums.get(value) ?? 0) + units);
    return sums;
  };
  const built = await counted();
  expect([built.size, built.get("name-129"), built.get("name-098"), built.get("name-099"), built.get("(other)")]).toEqual([
    101,
    3,
    1,
    undefined,
    30,
  ]);
  await load(database, "a", 2, [batchOf({ exposures: [of(201, "name-000"), of(202, "name-120"), of(203, "new")] })]);
  const added = await counted();
  expect([added.size, added.get("name-000"), added.get("(other)")]).toEqual([101, 2, 32]);
  await database.close();
});
