import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Told } from "./told.ts";

const PROGRAM = fileURLToPath(new URL("./sample-process.js", import.meta.url));
const TIMEOUT_MS = 180_000;
/** Enough for a hundred passes without a collection; see `allocation.ts`. */
const LARGE_YOUNG_GENERATION = ["--min-semi-space-size=256", "--max-semi-space-size=256"];

/** Code that is thrown away because it has not run for a while would count as heap given back. */
const KEEP_CODE = ["--no-flush-bytecode"];

/** Runs one task in a process of its own. Never rejects: what goes wrong is what it tells. */
export function spawnSample(contender: string, task: string): Promise<Told> {
  const execArgv = ["--expose-gc", ...flagsOf(task)];
  const child = fork(PROGRAM, [contender, task], {
    execArgv,
    env: { ...process.env, NODE_ENV: "production" },
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  let complaints = "";
  child.stderr?.on("data", (part: Buffer) => {
    complaints = (complaints + part.toString("utf8")).slice(-500);
  });
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      resolve({ kind: "failure", reason: `took longer than ${TIMEOUT_MS / 1000} s` });
    }, TIMEOUT_MS);
    child.on("message", (told: Told) => resolve(told));
    child.on("close", (status) => {
      clearTimeout(timer);
      resolve({ kind: "failure", reason: `ended with status ${status}: ${complaints.trim()}` });
    });
  });
}

function flagsOf(task: string): readonly string[] {
  if (task.endsWith("-bytes")) return LARGE_YOUNG_GENERATION;
  return task.startsWith("S7") ? KEEP_CODE : [];
}
