import { existsSync, readFileSync } from "node:fs";

/**
 * How many milliseconds something takes, less those for which the machine gave its processors to others while this thread,
 * or the main thread of one of `pids`, was ready to run: of these waits the longest is taken off, for they may have been at
 * the same time. A bound then holds for what is measured, and not for what else the machine does. Where the system does not
 * say how long its threads wait (it does on Linux) it is the time of the clock.
 */
export async function givenMs(pids: readonly number[], wait: () => Promise<unknown>): Promise<number> {
  const files = ["/proc/thread-self/schedstat", ...pids.map((pid) => `/proc/${pid}/task/${pid}/schedstat`)];
  const [sinceMs, before] = [performance.now(), files.map(waitedMs)];
  await wait();
  const tookMs = performance.now() - sinceMs;
  return tookMs - Math.max(...files.map((file, at) => waitedMs(file) - (before[at] ?? 0)));
}

/** The second number is the nanoseconds for which a thread was ready and did not run. */
function waitedMs(file: string): number {
  return existsSync(file) ? Number(readFileSync(file, "utf8").split(" ")[1]) / 1e6 : 0;
}
