/* Resident memory of processes by /proc: Linux only. */
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

/** Megabytes (2^20 bytes) a process holds; NaN when it is gone. */
export function residentMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(read(`/proc/${pid}/status`))?.[1] ?? Number.NaN) / 1_024;
}

export interface Peaks {
  /** The most that a process grew by meanwhile. */
  readonly growthMb: number;
  /** The most that its child processes held together. */
  readonly childrenMb: number;
}

/** Does some work and looks at a process and its children meanwhile, twenty times a second. */
export async function watchMemory<T>(pid: number, work: () => Promise<T>): Promise<[result: T, peaks: Peaks]> {
  const freshMb = residentMb(pid);
  let peakMb = freshMb;
  let childrenMb = 0;
  let isOver = false;
  const looking = (async () => {
    for (; !isOver; await pause(50)) {
      peakMb = Math.max(peakMb, residentMb(pid));
      childrenMb = Math.max(
        childrenMb,
        childrenOf(pid).reduce((sum, child) => sum + (residentMb(child) || 0), 0),
      );
    }
  })();
  try {
    const result = await work();
    return [result, { growthMb: peakMb - freshMb, childrenMb }];
  } finally {
    isOver = true;
    await looking;
  }
}

function childrenOf(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`).split(" ").filter(Boolean).map(Number);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
