// Installs the rivals of the hot-path benchmark into this folder, exactly as its lock file says, unless that was done already.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));
const STAMP = join(FOLDER, "node_modules", ".installed");

const wanted = readFileSync(join(FOLDER, "package-lock.json"), "utf8");
if (!existsSync(STAMP) || readFileSync(STAMP, "utf8") !== wanted) install();

function install() {
  console.log("installing the rivals… (exactly what benchmarks/rivals/package-lock.json names; no scripts of theirs are run)");
  const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const { status } = spawnSync("npm", args, { cwd: FOLDER, stdio: "inherit", shell: process.platform === "win32" });
  if (status === 0) writeFileSync(STAMP, wanted);
  else process.exitCode = 1;
}
