// `npm run demo` and `npm run demo:react`: an example by the name of its folder, from a fresh clone too.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { build } from "./build.mjs";
import { ensureInstalled, ROOT } from "./install.mjs";
import { requireNode } from "./node-version.mjs";

const [example = "", ...args] = process.argv.slice(2);
const folder = join("examples", example);
/** @param {string[]} command @returns {number} */
const run = (command) => spawnSync(process.execPath, command, { cwd: ROOT, stdio: "inherit" }).status ?? 1;

requireNode();
ensureInstalled("all");
build([folder]);
// What pages load; the compiler makes only its types.
const bundled = run([join("packages", "sdk-browser", "scripts", "bundle.mjs")]);
process.exitCode = bundled === 0 ? run([join(folder, "dist", "main.js"), ...args]) : bundled;
