import { readFileSync } from "node:fs";

/**
 * The exact version of a rival, as this folder's manifest pins it.
 *
 * @param {string} name of the npm package
 * @returns {string}
 */
export function versionOf(name) {
  const { dependencies } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));
  return dependencies[name];
}
