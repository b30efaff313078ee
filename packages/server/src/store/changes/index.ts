import { openDriver } from "../sqlite/driver.ts";
import type { ChangeLog } from "./change-log.ts";
import { sqliteChangeLog } from "./sqlite-change-log.ts";

export type * from "./change-log.ts";
export { MirroredChangeLog } from "./mirrored-change-log.ts";
export { postgresChangeLog } from "./postgres-change-log.ts";

/** Opens the embedded change log in a file, made when absent and brought to the newest schema. */
export async function openChangeLog(file: string): Promise<ChangeLog> {
  return sqliteChangeLog(await openDriver(file));
}
