import { access, constants, mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { openDriver, type SqliteDriver } from "./sqlite/driver.ts";

/** A folder that this process alone uses, until it is released or the process ends, however it ends. */
export interface DataFolder {
  readonly path: string;
  readonly release: () => void;
}

/**
 * Makes the data folder where it is missing (0700) and takes it for this process.
 *
 * @throws Error in words, when it cannot be written or another server has it.
 */
export async function takeDataFolder(directory: string): Promise<DataFolder> {
  const path = resolve(directory);
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new Error(`The data folder ${path} cannot be written (${codeOf(error)}). Set BELAY_DATA to a folder that can.`);
  }
  const lock = await openDriver(join(path, "server.lock"));
  lockFor(lock, path);
  return { path, release: () => lock.close() };
}

/**
 * A write transaction that stays open: the operating system gives the lock up with the process, so that a crash leaves
 * nothing to clean up, as a file with a process id would.
 */
function lockFor(lock: SqliteDriver, path: string): void {
  try {
    lock.exec("pragma busy_timeout = 0");
    lock.exec("begin exclusive");
  } catch (error) {
    lock.close();
    if (codeOf(error).includes("BUSY") || /locked/.test(String(error))) {
      throw new Error(`The data folder ${path} is used by another server. Stop it, or set BELAY_DATA to another folder.`);
    }
    throw new Error(`The data folder ${path} cannot be written (${codeOf(error)}).`);
  }
}

function codeOf(error: unknown): string {
  const code = (error as { readonly code?: unknown } | undefined)?.code;
  return typeof code === "string" ? code : String(error);
}
