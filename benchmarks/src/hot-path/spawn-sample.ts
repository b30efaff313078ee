import { fork, spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import type { Told } from "./told.ts";

const PROGRAM = fileURLToPath(new URL("./sample-process.js", import.meta.url));
const TIMEOUT_MS = 120_000;
/** For a process to end once it has told what it found. */
const ENDS_WITHIN_MS = 5_000;
/** Enough for a hundred passes without a collection; see `allocation.ts`. */
const LARGE_YOUNG_GENERATION = ["--min-semi-space-size=256", "--max-semi-space-size=256"];

/** Code that is thrown away because it has not run for a while would count as heap given back. */
const KEEP_CODE = ["--no-flush-bytecode"];

/**
 * The processor that short calls are timed on: the last one, since interrupts go to the first. Always the same one, so
 * that no sample is moved to a cold cache half-way. `undefined` where there is no `taskset`, or only one processor.
 */
export const PINNED_TO: number | undefined = pinnable(availableParallelism() - 1);

/** Runs one task in a process of its own. Never rejects: what goes wrong is what it tells. */
export function spawnSample(contender: string, task: string): Promise<Told> {
  const execArgv = ["--expose-gc", ...flagsOf(task)];
  const child = fork(PROGRAM, [contender, task], {
    ...(isShort(task) && PINNED_TO !== undefined
      ? { execPath: "taskset", execArgv: ["-c", String(PINNED_TO), process.execPath, ...execArgv] }
      : { execArgv }),
    env: { ...process.env, NODE_ENV: "production" },
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  let complaints = "";
  child.stderr?.on("data", (part: Buffer) => {
    complaints = (complaints + part.toString("utf8")).slice(-500);
  });
  return new Promise((resolve) => {
    let told: Told | undefined;
    const kill = (): void => void child.kill("SIGKILL");
    let timer = setTimeout(() => {
      told = { kind: "failure", reason: `took longer than ${TIMEOUT_MS / 1000} s` };
      kill();
    }, TIMEOUT_MS);
    child.on("message", (message: Told) => {
      told = message;
      clearTimeout(timer);
      timer = setTimeout(kill, ENDS_WITHIN_MS);
    });
    child.on("error", (error) => {
      told ??= { kind: "failure", reason: `did not start: ${error.message}` };
      clearTimeout(timer);
      resolve(told);
    });
    // Only now: the next sample must not be timed while this one is still putting itself away.
    child.on("close", (status) => {
      clearTimeout(timer);
      resolve(told ?? { kind: "failure", reason: `ended with status ${status}: ${complaints.trim()}` });
    });
  });
}

/** Calls are timed on one processor. A start is not: parsing and collecting may use what an application has. */
function isShort(task: string): boolean {
  return /^S[1-5](-untracked|-tail)?$/.test(task);
}

function pinnable(processor: number): number | undefined {
  if (processor < 1) return undefined;
  return spawnSync("taskset", ["-c", String(processor), process.execPath, "--version"]).status === 0 ? processor : undefined;
}

function flagsOf(task: string): readonly string[] {
  if (task.endsWith("-bytes")) return LARGE_YOUNG_GENERATION;
  return task.startsWith("S7") ? KEEP_CODE : [];
}
