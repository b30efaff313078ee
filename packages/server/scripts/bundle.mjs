// Bundles the built server for running it: its own files and the packages every server uses in a few files. A start reads and
// links one thousand files otherwise, which takes longer than everything else it does.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGE = join(dirname(fileURLToPath(import.meta.url)), "..");
const ROOT = join(PACKAGE, "..", "..");
const BUNDLED = join(PACKAGE, "dist", "bundled");

/** The bundled server's program. */
export const BUNDLED_MAIN = join(BUNDLED, "main.js");

/** Programs: the server's own, and those it starts as processes, which it looks for beside itself. */
const PROGRAMS = ["main.js", "store/events/duckdb/child.js", "imports/reader-process.js", "backups/copy-process.js"];

/**
 * What stays a package of its own: native code, and what is loaded only by a server that uses the engine it speaks to, or when
 * somebody looks at `/docs`.
 */
const PACKAGES = [
  "libsql",
  "@duckdb/node-api",
  "pg",
  "ioredis",
  "@clickhouse/client",
  "apache-arrow",
  "openid-client",
  "@fastify/swagger",
  "@fastify/swagger-ui",
];

/** What the bundle is made of: the compiler notes there when it last wrote something. */
const SOURCES = [
  ...["server", "core", "protocol", "stats"].map((name) => join(ROOT, "packages", name, "dist", ".tsbuildinfo")),
  join(ROOT, "pnpm-lock.yaml"),
  fileURLToPath(import.meta.url),
];

const DAY_MS = 86_400_000;

/**
 * Is the bundle there, and made of what the compiler wrote last?
 *
 * @param {{ main?: string, sources?: readonly string[] }} [where]
 * @returns {boolean}
 */
export function isBundled({ main = BUNDLED_MAIN, sources = SOURCES } = {}) {
  if (!existsSync(main)) return false;
  const madeAt = statSync(main).mtimeMs;
  return sources.every((path) => existsSync(path) && statSync(path).mtimeMs < madeAt);
}

/**
 * Bundles what the compiler wrote into `dist/bundled`.
 *
 * @returns {Promise<import("rolldown").OutputChunk[]>} the files written
 */
export async function bundleServer() {
  // Here and not above: whoever only asks whether there is a bundle does not need what makes one.
  const { rolldown } = await import("rolldown");
  const input = Object.fromEntries(PROGRAMS.map((path) => [basename(path, ".js"), join(PACKAGE, "dist", path)]));
  const build = await rolldown({ input, platform: "node", external: [...PACKAGES, "pg-native"] });
  const made = `${BUNDLED}-${process.pid}`;
  const names = { entryFileNames: "[name].js", chunkFileNames: "[name]-[hash].js" };
  const { output } = await build.write({ dir: made, format: "esm", ...names });
  await build.close();
  // One by one and whole, what others import first: a server may start meanwhile, or another bundle be made.
  mkdirSync(BUNDLED, { recursive: true });
  const files = output.map(({ fileName }) => fileName);
  const programs = PROGRAMS.map((path) => basename(path)).reverse();
  for (const name of [...files.filter((each) => !programs.includes(each)), ...programs])
    renameSync(join(made, name), join(BUNDLED, name));
  rmSync(made, { recursive: true });
  forgetOld(new Set(files));
  return output.filter((file) => file.type === "chunk");
}

/**
 * Files of earlier bundles: not those of today, a server that runs may yet load them.
 *
 * @param {ReadonlySet<string>} current
 * @returns {void}
 */
function forgetOld(current) {
  for (const name of readdirSync(BUNDLED).filter((each) => !current.has(each))) {
    const path = join(BUNDLED, name);
    if (statSync(path).mtimeMs < Date.now() - DAY_MS) rmSync(path, { force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundleServer();
