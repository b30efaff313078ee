import type { SqliteDriver } from "./driver.ts";

/** An older server must not touch what a newer one wrote. */
export class NewerSchemaError extends Error {
  constructor(found: number, known: number) {
    super(`the data was written by a newer version (schema ${found}, this version knows ${known})`);
  }
}

/**
 * Brings a file up to date, each step in a transaction of its own, so that two servers that start at once do each step once.
 * `user_version` counts the steps a file has.
 *
 * @throws NewerSchemaError when a newer version of the server wrote the file.
 */
export function migrate(driver: SqliteDriver, steps: readonly string[]): void {
  const found = schemaVersion(driver);
  if (found > steps.length) {
    throw new NewerSchemaError(found, steps.length);
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
