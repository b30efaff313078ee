import { readFileSync } from "node:fs";
import { expect } from "vitest";

/** The numbers that `packages/stats/reference/<name>.json` holds: made once by the script beside it, with a tool that is not ours. */
export function reference<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../reference/${name}.json`, import.meta.url), "utf8")) as T;
}

/** Asserts agreement to a relative tolerance (absolute below `floor`). */
export function expectClose(actual: number, expected: number, relative: number, label = "", floor = 0): void {
  const error = Math.abs(actual - expected);
  const bound = Math.max(relative * Math.abs(expected), floor);
  if (!(error <= bound))
    expect.fail(`${label}: got ${actual}, expected ${expected}, relative error ${error / Math.abs(expected)}`);
}
