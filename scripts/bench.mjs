// `npm run bench -- <scenario>`: installs what the rivals need, builds and runs benchmarks/src/<scenario>.ts.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { BUNDLED_MAIN, bundleServer, isBundled } from "../packages/server/scripts/bundle.mjs";
import { build } from "./build.mjs";
import { ensureInstalled, ROOT } from "./install.mjs";
import { requireNode } from "./node-version.mjs";

requireNode();
ensureInstalled("all");
build(["benchmarks", "packages/server"]);
if (!isBundled()) await bundleServer();
const [scenario = "", ...args] = process.argv.slice(2);
const program = join(ROOT, "benchmarks", "dist", `${scenario}.js`);
if (!existsSync(program)) {
  console.error(`There is no scenario ${JSON.stringify(scenario)}; the files of benchmarks/src are the scenarios.`);
  process.exit(1);
}
const env = { ...process.env, BELAY_TESTKIT_SERVER: BUNDLED_MAIN };
process.exitCode = spawnSync(process.execPath, [program, ...args], { cwd: ROOT, env, stdio: "inherit" }).status ?? 1;
