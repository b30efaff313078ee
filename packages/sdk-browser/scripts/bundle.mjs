// Bundles what browsers load: our own core inside, one small file a door, minified. Types are tsc's.
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const PACKAGE = join(dirname(fileURLToPath(import.meta.url)), "..");
const PACKAGES = join(PACKAGE, "..");

/** Doors of the package: name in the package to source. */
const DOORS = {
  index: "src/index.ts",
  remote: "src/remote.ts",
  react: "src/react.tsx",
  openfeature: "src/openfeature.ts",
  explain: "src/explain.ts",
};

/**
 * @param {{ input: string | Record<string, string>, dir: string, isWhole?: boolean }} options what to bundle, the folder it
 *   is written to, and whether what applications bring themselves (React, OpenFeature) goes in too, for tests in a page
 * @returns {Promise<void>}
 */
export async function bundle({ input, dir, isWhole = false }) {
  const build = await rolldown({
    input,
    external: isWhole ? [] : [/^react($|\/)/, /^@openfeature\//],
    ...(isWhole ? { transform: { define: { "process.env.NODE_ENV": '"development"' } } } : {}),
    resolve: {
      alias: {
        "@belay/core/compact": join(PACKAGES, "core/src/compact/index.ts"),
        "@belay/core": join(PACKAGES, "core/src/index.ts"),
      },
    },
    // Nothing of ours does anything by being imported.
    treeshake: { moduleSideEffects: isWhole ? undefined : false },
  });
  await build.write({
    dir,
    format: "esm",
    minify: true,
    // What a page's own bundler strips: until then they tell it which calls it may leave out.
    comments: !isWhole,
    entryFileNames: "[name].js",
    chunkFileNames: "[name]-[hash].js",
  });
  await build.close();
}

/**
 * Writes every door as it is published.
 *
 * @param {string} dir
 * @returns {Promise<void>}
 */
export async function bundleDoors(dir) {
  const input = Object.fromEntries(Object.entries(DOORS).map(([name, source]) => [name, join(PACKAGE, source)]));
  await bundle({ input, dir });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const dist = join(PACKAGE, "dist");
  // Chunks are named by what is in them: those of yesterday would be published too.
  const isOurs = (/** @type {string} */ name) => name.endsWith(".js");
  for (const name of existsSync(dist) ? readdirSync(dist).filter(isOurs) : []) rmSync(join(dist, name));
  await bundleDoors(dist);
  copyTypes(dist);
}

/**
 * Our types with those of core and protocol that they name, so that whoever installs this installs nothing else. Beside
 * what the compiler wrote and not in its place: the other packages here are checked against that.
 *
 * @param {string} dist
 * @returns {void}
 */
function copyTypes(dist) {
  const to = join(dist, "types");
  rmSync(to, { recursive: true, force: true });
  const copy = (/** @type {string} */ from, /** @type {string} */ folder) =>
    cpSync(from, folder, { recursive: true, filter: (path) => !/\.\w+$/.test(path) || path.endsWith(".d.ts") });
  copy(join(dist, "tsc"), to);
  for (const name of ["protocol", "core"]) copy(join(PACKAGES, name, "dist"), join(to, "of", name));
  for (const path of readdirSync(to, { recursive: true, encoding: "utf8" }).filter((each) => each.endsWith(".d.ts"))) {
    const up = "../".repeat(path.split(sep).length - 1) || "./";
    const text = readFileSync(join(to, path), "utf8");
    const rewritten = text.replace(
      /"@belay\/(protocol|core)(\/\w+)?"/g,
      (_, name, door = "") => `"${up}of/${name}${door}/index.js"`,
    );
    writeFileSync(join(to, path), rewritten);
  }
}
