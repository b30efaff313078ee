// Installs rivals exactly as their lock file says, unless that was done already: the SDKs of the hot path into this folder,
// or those of a folder in it that is named, `servers`.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const FOLDER = join(fileURLToPath(new URL(".", import.meta.url)), process.argv[2] ?? "");
const STAMP = join(FOLDER, "node_modules", ".installed");

const wanted = readFileSync(join(FOLDER, "package-lock.json"), "utf8");
if (!existsSync(STAMP) || readFileSync(STAMP, "utf8") !== wanted) install();

function install() {
  console.log("installing the rivals… (exactly what their package-lock.json names; no scripts of theirs are run)");
  const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const { status } = spawnSync("npm", args, { cwd: FOLDER, stdio: "inherit", shell: process.platform === "win32" });
  if (status === 0) writeFileSync(STAMP, wanted);
  else process.exitCode = 1;
}
