import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type TempDir, tempDir } from "@belay/testkit";
// @ts-expect-error it brings no types; its one export is a list of plugins
import filePlugin from "@size-limit/file";
import sizeLimit from "size-limit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundle, bundleDoors } from "../scripts/bundle.mjs";

const KIB = 1_024;
const START = '({ url: "https://flags.example.com", clientKey: "k", context: { targetingKey: "u" } })';

/**
 * What a page pays, by what it imports: bytes after gzip of a module that uses what is published, as an application's own
 * bundler minifies it. The application's line is in it.
 */
const BUDGETS = [
  [
    "init, isEnabled, value, streaming, exposures that survive the tab",
    `import { createLeanClient } from "index"; globalThis.on = createLeanClient${START}.isEnabled("f");`,
    6_000,
  ],
  [
    "everything: evaluate, peek and track too",
    `import { createClient } from "index"; globalThis.on = createClient${START}.isEnabled("f");`,
    6.2 * KIB,
  ],
  ["with rules kept and values rendered", 'export { createClient, fromValues, localKeeper } from "index";', 6.4 * KIB],
  ["answers that a server decided", 'export { createRemoteClient } from "remote";', 5 * KIB],
  ["explaining a decision, with the compiler", 'export { explain } from "explain";', 15 * KIB],
  ["one constructor of rules from values alone", 'export { fromValues } from "index";', 0.3 * KIB],
] as const;

let folder: TempDir;
beforeAll(async () => {
  folder = await tempDir("size");
  await bundleDoors(folder.path);
});
afterAll(() => folder.remove());

/** Bytes of the module in an application's bundle. */
async function weigh(name: string, code: string): Promise<number> {
  const entry = join(folder.path, `${name}.ts`);
  const dir = join(folder.path, name);
  await writeFile(entry, code);
  await bundle({ input: entry, dir, isWhole: true });
  const [{ size }] = (await sizeLimit([filePlugin], { checks: [{ files: [join(dir, `${name}.js`)], gzip: true }] })) as [
    { size: number },
  ];
  return size;
}

describe("a page pays no more than the budget for", () => {
  it.each(BUDGETS)("%s", async (what, code, budget) => {
    const size = await weigh(what.replaceAll(/\W+/g, "-"), code.replace(/"(index|remote|explain)"/, '"./$1.js"'));
    expect(size).toBeLessThanOrEqual(budget);
    // Nothing was left out because nothing was used.
    expect(size).toBeGreaterThan(budget / 2);
  });

  it("deciding alone, without a client", async () => {
    const compact = fileURLToPath(new URL("../../core/src/compact/index.ts", import.meta.url));
    const size = await weigh("deciding", `export { deciderOf } from ${JSON.stringify(compact)};`);
    expect(size).toBeLessThanOrEqual(2.25 * KIB);
  });
});
