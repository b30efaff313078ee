// Packs every publishable package as it would be published and checks the tarball: publint --strict, then the types.
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { pnpmCommand, ROOT } from "./install.mjs";

const execute = promisify(execFile);
const ATTW = join(ROOT, "node_modules", "@arethetypeswrong", "cli", "dist", "index.js");

const folder = mkdtempSync(join(tmpdir(), "belay-pack-"));
try {
  const packages = publishablePackages();
  const faults = (await Promise.all(packages.map((name) => checkPackage(name, folder)))).flat();
  for (const fault of faults) console.error(fault);
  console.log(`${packages.length} packages checked: ${packages.join(", ")}`);
  process.exitCode = faults.length === 0 && packages.length > 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true });
}

/** @returns {string[]} folder names under packages/ whose manifest is not private */
function publishablePackages() {
  return readdirSync(join(ROOT, "packages")).filter((name) => {
    const manifest = JSON.parse(readFileSync(join(ROOT, "packages", name, "package.json"), "utf8"));
    return manifest.private !== true;
  });
}

/**
 * @param {string} name folder under packages/
 * @param {string} destination where the tarball goes
 * @returns {Promise<string[]>} everything wrong with the package, as lines to print
 */
async function checkPackage(name, destination) {
  const directory = join(ROOT, "packages", name);
  const tarball = join(destination, `${name}.tgz`);
  const [program, args] = pnpmCommand(["pack", "--json", "--out", tarball]);
  const { stdout } = await execute(program, args, { cwd: directory });
  const [manifestFaults, typeFaults] = await Promise.all([checkManifest(name, tarball), checkTypes(name, tarball)]);
  return [...checkContents(name, JSON.parse(stdout).files), ...manifestFaults, ...typeFaults];
}

/**
 * What is published is what was built, and nothing that lies about beside it.
 *
 * @param {string} name
 * @param {readonly { path: string }[]} files
 * @returns {string[]}
 */
function checkContents(name, files) {
  const strays = files.filter(({ path }) => !/^(package\.json|LICENSE|README\.md|dist\/.*(\.js|\.d\.ts))$/.test(path));
  return strays.map(({ path }) => `${name}: ${path} would be published`);
}

/** @param {string} name @param {string} tarball @returns {Promise<string[]>} */
async function checkManifest(name, tarball) {
  const bytes = readFileSync(tarball);
  const data = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  const { messages, pkg } = await publint({ strict: true, pack: { tarball: data } });
  return messages.map((message) => `${name}: ${formatMessage(message, pkg, { color: false }) ?? message.code}`);
}

/** @param {string} name @param {string} tarball @returns {Promise<string[]>} */
async function checkTypes(name, tarball) {
  const options = ["--profile", "esm-only", "--no-definitely-typed", "--format", "ascii", "--no-color", "--no-emoji"];
  try {
    await execute(process.execPath, [ATTW, tarball, ...options]);
    return [];
  } catch (error) {
    const { stdout, stderr } = /** @type {{ stdout: string, stderr: string }} */ (error);
    return [`${name}: its types do not resolve as published\n${stdout}${stderr}`];
  }
}
