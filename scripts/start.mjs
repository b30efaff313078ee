// `npm start`: install if needed, build what changed, serve. Everything after the build is the server's own output.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { BUNDLED_MAIN, isBundled } from "../packages/server/scripts/bundle.mjs";
import { build } from "./build.mjs";
import { ensureInstalled, ROOT } from "./install.mjs";
import { requireNode } from "./node-version.mjs";

const MAIN = join(ROOT, "packages", "server", "dist", "main.js");

requireNode();
try {
  ensureInstalled("start");
  console.log(existsSync(MAIN) ? "building… (what changed)" : "building…");
  build(["packages/server", "packages/sdk-node"]);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}

console.log("starting…");
if (process.env["npm_lifecycle_event"] !== undefined) endWithParent();
// In this process, not a child: signals, environment and terminal are the server's own, and no second Node stays in memory.
const program = serverProgram();
process.argv[1] = program;
await import(pathToFileURL(program).href);

/**
 * The bundle starts in half the time. Where it cannot be made, as the bundler has no build for every platform, what the compiler
 * wrote serves as well.
 *
 * @returns {string}
 */
function serverProgram() {
  const bundler = join(ROOT, "packages", "server", "scripts", "bundle.mjs");
  if (isBundled() || spawnSync(process.execPath, [bundler], { stdio: "inherit" }).status === 0) return BUNDLED_MAIN;
  console.log("not bundled, for the reason above: the start takes longer");
  return MAIN;
}

/**
 * npm runs scripts through a shell that does not pass signals on: told to end, npm and the shell go and this process would
 * stay behind with the port and the data folder. So it takes its parent's end for a SIGTERM.
 */
function endWithParent() {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    process.kill(process.pid, "SIGTERM");
  }, 250).unref();
}
