/** The bundle as it is published, made from the sources of this moment. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type TempDir, tempDir } from "@belay/testkit";
import { bundle } from "../scripts/bundle.mjs";

const SOURCE = fileURLToPath(new URL("./index.ts", import.meta.url));
const COMPACT = fileURLToPath(new URL("../../core/src/compact/index.ts", import.meta.url));

/** Bundles one module, given as text that may import `sdk` and `compact`; answers the file and its text. */
export async function bundled(code: string): Promise<{ file: string; text: string; folder: TempDir }> {
  const folder = await tempDir("bundle");
  const entry = join(folder.path, "entry.ts");
  await writeFile(entry, code.replace('"sdk"', JSON.stringify(SOURCE)).replace('"compact"', JSON.stringify(COMPACT)));
  await bundle({ input: entry, dir: folder.path });
  const file = join(folder.path, "entry.js");
  return { file, text: await readFile(file, "utf8"), folder };
}
