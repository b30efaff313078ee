// `npm run bench -- <scenario>`: installs what the rivals need, builds and runs benchmarks/src/<scenario>.ts.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { build } from "./build.mjs";
import { ensureInstalled, ROOT } from "./install.mjs";
import { requireNode } from "./node-version.mjs";

requireNode();
ensureInstalled("all");
build(["benchmarks"]);
const [scenario = "", ...args] = process.argv.slice(2);
const program = join(ROOT, "benchmarks", "dist", `${scenario}.js`);
if (!existsSync(program)) {
  console.error(`There is no scenario ${JSON.stringify(scenario)}; the files of benchmarks/src are the scenarios.`);
  process.exit(1);
}
process.exitCode = spawnSync(process.execPath, [program, ...args], { cwd: ROOT, stdio: "inherit" }).status ?? 1;
