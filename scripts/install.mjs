import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root folder. */
export const ROOT = fileURLToPath(new URL("..", import.meta.url));

// Not pinned as `packageManager` in package.json: with that pin pnpm resolves every platform build of itself first,
// which some registries cannot answer. See docs/adr/0004-one-command-on-a-bare-machine.md.
const PNPM_VERSION = "12.21.0";
const PNPM_MAJOR = PNPM_VERSION.split(".")[0];

/**
 * What an install covers. `start` is what the server needs to build and run, without the rivals that benchmarks are
 * compared with; `all` is everything.
 *
 * @typedef {"start" | "all"} Scope
 */

/** @type {Readonly<Record<Scope, readonly string[]>>} */
const FILTERS = {
  start: ["--filter=belay", "--filter=@belay/server...", "--filter=@belay/sdk-node..."],
  all: [],
};

const STAMP = join(ROOT, "node_modules", ".belay-installed.json");

/**
 * Installs what `scope` needs exactly as the lock file says, unless the last install already did.
 *
 * @param {Scope} scope
 * @returns {boolean} whether anything had to be installed
 * @throws {Error} when the package manager fails; its own output is on the terminal
 */
export function ensureInstalled(scope) {
  const wanted = fingerprint();
  const installed = readStamp();
  if (installed.fingerprint === wanted && (installed.scope === "all" || installed.scope === scope)) return false;
  console.log("installing… (exactly what pnpm-lock.yaml names)");
  const args = [...FILTERS[scope], "install", "--frozen-lockfile", "--loglevel=error"];
  const result = spawnSync(...pnpmCommand(args), { cwd: ROOT, stdio: "inherit", shell: process.platform === "win32" });
  if (result.status !== 0) throw new Error("Installing failed; the lines above say why.");
  mkdirSync(join(ROOT, "node_modules"), { recursive: true });
  writeFileSync(STAMP, JSON.stringify({ fingerprint: wanted, scope }));
  return true;
}

/**
 * The program and arguments that run pnpm: the pnpm that runs us, else one on PATH of the same major version, else
 * one fetched by npx.
 *
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {[program: string, args: string[]]}
 */
export function pnpmCommand(args, env = process.env) {
  const running = env["npm_execpath"];
  if (running !== undefined && env["npm_config_user_agent"]?.startsWith(`pnpm/${PNPM_MAJOR}.`)) {
    return /\.[cm]?js$/.test(running) ? [process.execPath, [running, ...args]] : [running, [...args]];
  }
  const found = spawnSync("pnpm", ["--version"], { encoding: "utf8", env, shell: process.platform === "win32" });
  if (found.status === 0 && found.stdout.startsWith(`${PNPM_MAJOR}.`)) return ["pnpm", [...args]];
  // Without --yes npx asks before it fetches, and stops where nobody can answer.
  return ["npx", ["--yes", `pnpm@${PNPM_VERSION}`, ...args]];
}

/** Hash of everything an install depends on. */
function fingerprint() {
  const hash = createHash("sha256").update(`${process.platform} ${process.arch}`);
  for (const file of ["pnpm-lock.yaml", "pnpm-workspace.yaml", ...manifests()]) {
    hash.update(`\0${file}\0`).update(readFileSync(join(ROOT, file)));
  }
  return hash.digest("hex");
}

/** @returns {string[]} every package.json of the workspace, in a stable order */
function manifests() {
  const members = ["packages", "examples"].flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .sort()
      .map((name) => `${folder}/${name}/package.json`),
  );
  return ["package.json", "benchmarks/package.json", ...members].filter((file) => existsSync(join(ROOT, file)));
}

/** @returns {{ fingerprint: string, scope: Scope } | { fingerprint: undefined, scope: "start" }} */
function readStamp() {
  try {
    return JSON.parse(readFileSync(STAMP, "utf8"));
  } catch {
    return { fingerprint: undefined, scope: "start" }; // never installed, or cut short: install again
  }
}
