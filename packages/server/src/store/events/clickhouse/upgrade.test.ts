import { readFile, writeFile } from "node:fs/promises";
import { tempDir } from "@belay/testkit";
import { expect, onTestFinished, test } from "vitest";
import { batchOf, exposureOf } from "../events.fixture.ts";
import { withoutDiffers } from "../spool/earlier-frames.fixture.ts";
import { newDatabase, withClickHouse } from "./clickhouse.fixture.ts";
import { ClickHouseEngine } from "./engine.ts";
import { NO_PRESS, writeSegment } from "./segments.fixture.ts";

withClickHouse("ClickHouse tables of an earlier version", (server) => {
  test("are given the columns they lack, and take its segments too", async () => {
    const folder = await tempDir("upgrade");
    const directory = folder.path;
    const database = newDatabase();
    onTestFinished(async () => {
      await server().query(`drop database if exists ${database}`);
      await folder.remove();
    });
    const open = (): Promise<ClickHouseEngine> =>
      ClickHouseEngine.open({ urls: [`${server().url}/${database}`], directory, press: NO_PRESS, now: Date.now });
    const earlier = await open();
    await earlier.extent({ kind: "exposures", project: "default" });
    await earlier.close();
    await server().query(`alter table ${database}.exposures drop column differs`);
    await server().query(`drop table ${database}.first_exposures`);
    await server().query(
      `create view ${database}.first_exposures as select unit, variant as first_variant from ${database}.exposures`,
    );

    const engine = await open();
    const first = await writeSegment(directory, { spool: "s", number: 1 }, [
      batchOf({ exposures: [exposureOf(1), exposureOf(2)] }),
    ]);
    await writeFile(first.path, withoutDiffers(await readFile(first.path)));
    await engine.load([first]);
    const told = [exposureOf(3, { differs: true }), exposureOf(4, { differs: false })];
    await engine.load([await writeSegment(directory, { spool: "s", number: 2 }, [batchOf({ exposures: told })])]);
    await engine.close();
    const rows = await server().query(`select seq, differs from ${database}.exposures order by position format TabSeparated`);
    expect(rows.trim().split("\n")).toEqual(["1\t\\N", "2\t\\N", "3\t1", "4\t0"]);
    const firsts = await server().query(
      `select unit, first_differs from ${database}.first_exposures order by unit format TabSeparated`,
    );
    expect(firsts.trim().split("\n")).toEqual(["user-1\t\\N", "user-2\t\\N", "user-3\t1", "user-4\t0"]);
  });
});
