import { join } from "node:path";
import { tempDir } from "@belay/testkit";
import { describe, expect, it } from "vitest";
import { hasBuiltInSqlite, openDriver } from "../sqlite/driver.ts";
import { migrate } from "../sqlite/migrations.ts";
import { changeLogContract } from "./change-log.contract.ts";
import { MIGRATIONS } from "./migrations.ts";
import { sqliteChangeLog } from "./sqlite-change-log.ts";

for (const engine of ["libsql", ...((await hasBuiltInSqlite()) ? ["node:sqlite" as const] : [])] as const) {
  changeLogContract(engine, async () => {
    const dir = await tempDir("changes");
    return { open: async () => sqliteChangeLog(await openDriver(join(dir.path, "changes.db"), engine)), remove: dir.remove };
  });
}

describe("migrations", () => {
  it("refuse a file of a newer version and leave it as it is", async () => {
    const dir = await tempDir("changes");
    const driver = await openDriver(join(dir.path, "changes.db"));
    driver.exec(`pragma user_version = ${MIGRATIONS.length + 1}`);
    expect(() => migrate(driver, MIGRATIONS)).toThrow(/newer version/);
    expect(driver.all("select count(*) as n from sqlite_master", [])).toEqual([{ n: 0 }]);
    driver.close();
    await dir.remove();
  });

  it("run once, whoever opens the file first", async () => {
    const dir = await tempDir("changes");
    const file = join(dir.path, "changes.db");
    const [first, second] = [await openDriver(file), await openDriver(file)];
    migrate(first, MIGRATIONS);
    migrate(second, MIGRATIONS);
    expect(first.all("pragma user_version", [])).toEqual([{ user_version: MIGRATIONS.length }]);
    first.close();
    second.close();
    await dir.remove();
  });

  it("sync every commit to the disk", async () => {
    const dir = await tempDir("changes");
    const driver = await openDriver(join(dir.path, "changes.db"));
    const log = sqliteChangeLog(driver);
    expect(driver.all("pragma synchronous", [])).toEqual([{ synchronous: 2 }]);
    expect(driver.all("pragma journal_mode", [])).toEqual([{ journal_mode: "wal" }]);
    await log.close();
    await dir.remove();
  });
});
