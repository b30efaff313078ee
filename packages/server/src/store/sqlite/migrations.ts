import type { SqliteDriver } from "./driver.ts";

/**
 * Brings a file up to date, each step in a transaction of its own, so that two servers that start at once do each step once.
 * `user_version` counts the steps a file has.
 *
 * @throws when a newer version of the server wrote the file: an older one must not touch it.
 */
export function migrate(driver: SqliteDriver, steps: readonly string[]): void {
  const found = schemaVersion(driver);
  if (found > steps.length) {
    throw new Error(`the data was written by a newer version (schema ${found}, this version knows ${steps.length})`);
  }
  steps.forEach((step, index) => {
    driver.transaction(() => {
      if (schemaVersion(driver) > index) return;
      driver.exec(step);
      driver.exec(`pragma user_version = ${index + 1}`);
    });
  });
}

function schemaVersion(driver: SqliteDriver): number {
  return Number(driver.all("pragma user_version", [])[0]?.["user_version"] ?? 0);
}
