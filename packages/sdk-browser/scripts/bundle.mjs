// Bundles what browsers load: our own core inside, one small file a door, minified. Types are tsc's.
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const PACKAGE = join(dirname(fileURLToPath(import.meta.url)), "..");
const PACKAGES = join(PACKAGE, "..");

/** Doors of the package: name in the package to source. */
const DOORS = { index: "src/index.ts" };

/**
 * @param {{ input: string | Record<string, string>, dir: string }} options what to bundle, and the folder it is written to
 * @returns {Promise<void>}
 */
export async function bundle({ input, dir }) {
  const build = await rolldown({
    input,
    external: [/^react($|\/)/, /^@openfeature\//],
    resolve: {
      alias: {
        "@belay/core/compact": join(PACKAGES, "core/src/compact/index.ts"),
        "@belay/core": join(PACKAGES, "core/src/index.ts"),
      },
    },
    // Nothing of ours does anything by being imported.
    treeshake: { moduleSideEffects: false },
  });
  await build.write({ dir, format: "esm", minify: true, entryFileNames: "[name].js", chunkFileNames: "[name]-[hash].js" });
  await build.close();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const dist = join(PACKAGE, "dist");
  const input = Object.fromEntries(Object.entries(DOORS).map(([name, source]) => [name, join(PACKAGE, source)]));
  await bundle({ input, dir: dist });
  copyTypes(dist);
}

/**
 * The types of core and protocol that ours name go along, so that whoever installs this installs nothing else.
 *
 * @param {string} dist
 * @returns {void}
 */
function copyTypes(dist) {
  const own = join(dist, "types");
  for (const name of ["protocol", "core"]) {
    const isType = (/** @type {string} */ path) => !/\.\w+$/.test(path) || path.endsWith(".d.ts");
    cpSync(join(PACKAGES, name, "dist"), join(own, "of", name), { recursive: true, filter: isType });
  }
  for (const path of readdirSync(own, { recursive: true, encoding: "utf8" }).filter((each) => each.endsWith(".d.ts"))) {
    const up = "../".repeat(path.split(sep).length - 1) || "./";
    const text = readFileSync(join(own, path), "utf8");
    const rewritten = text.replace(
      /"@belay\/(protocol|core)(\/\w+)?"/g,
      (_, name, door = "") => `"${up}of/${name}${door}/index.js"`,
    );
    if (rewritten !== text) writeFileSync(join(own, path), rewritten);
  }
}
