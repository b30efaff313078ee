import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "./install.mjs";

/** The compiler's own file: its link in `.bin` is a shell script, which not every platform can run. */
export const TSC = join(ROOT, "node_modules", "typescript", "bin", "tsc");

/**
 * Builds projects and what they refer to; what is up to date is not built again.
 *
 * @param {readonly string[]} projects folders with a tsconfig.json, relative to the root
 * @returns {void}
 * @throws {Error} when something does not compile; the compiler's output is on the terminal
 */
export function build(projects) {
  const result = spawnSync(process.execPath, [TSC, "-b", ...projects], { cwd: ROOT, stdio: "inherit" });
  if (result.status !== 0) throw new Error("Building failed; the lines above say where.");
}
