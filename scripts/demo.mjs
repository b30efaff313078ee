// `npm run demo`: the cookie-cats example, from a fresh clone too.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { build } from "./build.mjs";
import { ensureInstalled, ROOT } from "./install.mjs";
import { requireNode } from "./node-version.mjs";

requireNode();
ensureInstalled("all");
build(["examples/cookie-cats"]);
const main = join(ROOT, "examples", "cookie-cats", "dist", "main.js");
const { status } = spawnSync(process.execPath, [main, ...process.argv.slice(2)], { cwd: ROOT, stdio: "inherit" });
process.exitCode = status ?? 1;
