import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A program of the distribution, started by a test and stopped by its id. */
export interface EngineProcess {
  readonly pid: number;
  /** Sends a signal: `SIGSTOP` hangs it, `SIGCONT` lets it go on. */
  readonly signal: (signal: NodeJS.Signals) => void;
  /** Kills it at once, as a crash would, and waits until it is gone. */
  readonly kill: () => Promise<void>;
}

export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  /** Whom it runs as; the test's own user when absent. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** Says whether it can be used; asked every 20 ms, for 30 s at most. */
  readonly isReady: () => Promise<boolean>;
}

// A test that fails half-way must not leave its engine behind.
const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts a program and waits until it is ready. @throws Error with what it wrote when it ends or stays silent. */
export async function launch({ command, args, user, isReady }: Launch): Promise<EngineProcess> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...user });
  running.add(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-OUTPUT_CHARS);
    });
  }
  let hasEnded = false;
  const ended = new Promise<void>((resolve) => {
    const end = (): void => {
      hasEnded = true;
      running.delete(child);
      resolve();
    };
    child.once("error", (error) => {
      output += error.message;
      end();
    });
    child.once("close", end);
  });
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await ended;
  };
  for (const sinceMs = Date.now(); !hasEnded && Date.now() - sinceMs < READY_MS; await sleep(20)) {
    if (await isReady()) return { pid: child.pid ?? 0, signal: (signal) => void child.kill(signal), kill };
  }
  await kill();
  throw new Error(`${command} did not become ready: ${output}`);
}

/** Where a program is, looked for as a shell does and where Debian keeps those of the system; absent when it is nowhere. */
export function programPath(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/local/sbin", "/usr/sbin", "/usr/bin"];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/**
 * May a test that misses its engine be skipped? Where `CI=true` it fails instead, unless `BELAY_REQUIRE_ENGINES` says
 * otherwise (`1`: it fails anywhere, `0`: it may be skipped anywhere).
 */
export function mayMissEngines(): boolean {
  const { CI, BELAY_REQUIRE_ENGINES: required } = process.env;
  return required === undefined || required === "" ? CI !== "true" : required !== "1";
}

/**
 * For a test that runs programs of the system, as its first line: where one is missing the test is skipped, or fails, see
 * `mayMissEngines`.
 *
 * @example it("is verified by openssl", (context) => { needPrograms(context, "openssl"); ... })
 * @throws Error where one is missing and must be there
 */
export function needPrograms(context: { skip(note: string): void }, ...names: readonly string[]): void {
  const missing = names.filter((name) => programPath(name) === undefined);
  if (missing.length === 0) return;
  const what = `NOT INSTALLED: ${missing.join(", ")}`;
  if (!mayMissEngines()) throw new Error(`${what}: BELAY_REQUIRE_ENGINES or CI says that it must be there`);
  context.skip(what);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A PostgreSQL that was killed syncs every file before it is ready: half a minute on a busy disk. */
const READY_MS = 120_000;
const OUTPUT_CHARS = 10_000;
