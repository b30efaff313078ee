import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TempDir, tempDir } from "@belay/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EngineAway, type LoadableSegment } from "../engine.ts";
import { batchOf, exposureOf, metricOf, TEN_OCLOCK } from "../events.fixture.ts";
import { newDatabase, withClickHouse } from "./clickhouse.fixture.ts";
import { ClickHouseEngine } from "./engine.ts";
import { NO_PRESS, writeSegment } from "./segments.fixture.ts";
import { type StatementFault, type StatementProxy, startStatementProxy } from "./statement-proxy.fixture.ts";

withClickHouse("loading into ClickHouse", (server) => {
  const database = newDatabase();
  let folder: TempDir;
  let proxy: StatementProxy;
  let cases = 0;

  beforeAll(async () => {
    folder = await tempDir("loading");
    const { origin } = new URL(server().url);
    proxy = await startStatementProxy(origin);
    // Creates the tables, which is not what is looked at here.
    const engine = await open("http", join(folder.path, "first"));
    await engine.extent({ kind: "exposures", project: "none" });
    await engine.close();
  });
  afterAll(async () => {
    await proxy.close();
    await server().query(`drop database if exists ${database}`);
    await folder.remove();
  });

  function open(through: "proxy" | "http", directory: string): Promise<ClickHouseEngine> {
    const url = new URL(server().url);
    if (through === "proxy") url.host = new URL(proxy.url).host;
    url.pathname = database;
    return ClickHouseEngine.open({ urls: [url.href], directory, press: NO_PRESS, now: Date.now });
  }

  /** Two segments with all there is to load, of a project of their own; two days, so that there are two parts per table. */
  async function twoSegments(): Promise<{ project: string; directory: string; segments: LoadableSegment[] }> {
    cases += 1;
    const project = `case-${cases}`;
    const directory = join(folder.path, project);
    await mkdir(directory);
    const arm = { experiment: "checkout-test", variant: "treatment" };
    const batch = (instance: string, receivedAtMs: number) =>
      batchOf({
        ...{ project, instance, receivedAtMs },
        exposures: [exposureOf(1), exposureOf(2), exposureOf(2)],
        metrics: [metricOf(3, { value: 0.1 }), metricOf(4)],
        counts: [{ flag: "checkout", variant: "on", count: 7 }],
        ledger: [{ ...arm, produced: 3, dropped: 1 }],
      });
    const one = [batch("a", TEN_OCLOCK), batch("b", TEN_OCLOCK + 86_400_000)];
    return {
      project,
      directory,
      segments: [
        await writeSegment(directory, { spool: project, number: 1 }, one),
        await writeSegment(directory, { spool: project, number: 2 }, [batch("c", TEN_OCLOCK + 86_400_000)]),
      ],
    };
  }

  /** What lies in every table of a project, read past all that reads otherwise. */
  async function stored(project: string): Promise<Record<string, number>> {
    const sums: [string, string][] = [
      ["exposures", "count()"],
      ["metric_events", "count()"],
      ["evaluation_counts", "sum(evaluations)"],
      ["arm_stored", "sum(stored)"],
      ["arm_duplicates", "sum(duplicates)"],
    ];
    const entries = sums.map(async ([table, sum]) => {
      return [
        table,
        Number(await server().query(`select ${sum} from ${database}.${table} where project = '${project}'`)),
      ] as const;
    });
    return Object.fromEntries(await Promise.all(entries));
  }

  const ONCE = { exposures: 6, metric_events: 6, evaluation_counts: 21, arm_stored: 6, arm_duplicates: 3 };

  /** Loads with a fault at a statement, then again, as after a restart; false when there was no such statement. */
  async function loadWithFault(fault: StatementFault, at: number): Promise<boolean> {
    const { project, directory, segments } = await twoSegments();
    const first = await open("proxy", directory);
    proxy.arm(fault, at);
    const outcome = await first.load(segments).catch((error: unknown) => error);
    const wasHit = proxy.seen >= at;
    await first.close();
    if (outcome !== undefined) expect(outcome).toBeInstanceOf(EngineAway);

    const second = await open("http", directory);
    await second.load(segments);
    expect(await stored(project), `${fault} at ${at}`).toEqual(ONCE);
    await proxy.release();
    // By then the segments may be offered once more, should their files come back after a power cut.
    await second.load(segments);
    expect(await stored(project), `${fault} at ${at}, afterwards`).toEqual(ONCE);
    const ledger = await second.ledger({ project });
    expect(ledger.map(({ produced, dropped }) => [produced, dropped])).toEqual([
      [3, 1],
      [3, 1],
      [3, 1],
    ]);
    await second.close();
    return wasHit;
  }

  test.each([
    ["refuse", "never reaches the server"],
    ["swallow", "is run, and its answer lost"],
    ["delay", "is run only when all was loaded by another attempt"],
  ] as const)("%s: whichever statement of a load %s, every row is there once after the next attempt", async (fault, _) => {
    let statements = 0;
    while (await loadWithFault(fault, statements + 1)) statements += 1;
    expect(statements).toBe(STATEMENTS);
  });

  test("a statement given up that is run while its successor is: 5 times 100,000 exposures are there once", async () => {
    for (let round = 0; round < 5; round += 1) {
      cases += 1;
      const project = `case-${cases}`;
      const directory = join(folder.path, project);
      await mkdir(directory);
      const exposures = Array.from({ length: 100_000 }, (_, index) => exposureOf(index + 1));
      const segment = await writeSegment(directory, { spool: project, number: 1 }, [batchOf({ project, exposures })]);
      const first = await open("proxy", directory);
      proxy.arm("delay", FILLING);
      await expect(first.load([segment])).rejects.toBeInstanceOf(EngineAway);
      await first.close();
      const second = await open("proxy", directory);
      // The next attempt puts up its fence and waits, but need not ask where to begin.
      proxy.releaseWith(FILLING + 1);
      await second.load([segment]);
      await proxy.release();
      expect((await stored(project))["exposures"]).toBe(100_000);
      await second.close();
    }
  });

  test("segments given up together come again together, whatever was sealed since", async () => {
    const { project, directory, segments } = await twoSegments();
    const first = await open("proxy", directory);
    proxy.arm("swallow", STATEMENTS - 2);
    await expect(first.load(segments.slice(0, 1))).rejects.toBeInstanceOf(EngineAway);
    await first.close();
    const second = await open("http", directory);
    await second.load(segments);
    expect(await stored(project)).toEqual(ONCE);
    const book = JSON.parse(await readFile(join(directory, "loads.json"), "utf8")) as Record<string, object>;
    // Attempt 2 for the one that was pending, attempt 3 for the other.
    expect(book[project]).toMatchObject({ attempt: 3, loadedThrough: 2 });
    await second.close();
  });

  test("a segment the disk damaged is refused whole, so that it is repaired first", async () => {
    const { project, directory, segments } = await twoSegments();
    const [segment] = segments;
    const path = segment?.path ?? "";
    const bytes = await readFile(path);
    bytes[bytes.indexOf("user-2")] = "U".charCodeAt(0);
    await writeFile(path, bytes);
    const engine = await open("http", directory);
    const refusal = engine.load(segments);
    await expect(refusal).rejects.toThrow("lines that are no frames");
    await expect(refusal).rejects.not.toBeInstanceOf(EngineAway);
    expect((await stored(project))["exposures"]).toBe(0);
    await engine.close();
  });
});

/** Of a load of two segments into tables that are there, by a process that just began. */
const STATEMENTS = 14;
/** The one among them that fills the table of exposures. */
const FILLING = 7;
