import { readdirSync, readFileSync } from "node:fs";

/**
 * Microseconds a process has used of the processors, all its threads that still run. The scheduler counts them to the
 * nanosecond; what `/proc/<pid>/stat` says comes in hundredths of a second.
 */
export function processorUs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = threads.map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ", 1)[0]),
  );
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1_000;
}
