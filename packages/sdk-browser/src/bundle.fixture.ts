/** The bundle as it is published, made from the sources of this moment. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type TempDir, tempDir } from "@belay/testkit";
import { bundle } from "../scripts/bundle.mjs";

const SOURCE = fileURLToPath(new URL("./index.ts", import.meta.url));
const REMOTE = fileURLToPath(new URL("./remote.ts", import.meta.url));
const REACT_APP = fileURLToPath(new URL("./react-app.fixture.tsx", import.meta.url));
const COMPACT = fileURLToPath(new URL("../../core/src/compact/index.ts", import.meta.url));

/** Bundles one module, given as text that may import `sdk`, `remote`, `compact` and `react-app`; answers the file and its text. */
export async function bundled(code: string): Promise<{ file: string; text: string; folder: TempDir }> {
  const folder = await tempDir("bundle");
  const entry = join(folder.path, "entry.ts");
  const files = { sdk: SOURCE, remote: REMOTE, compact: COMPACT, "react-app": REACT_APP };
  const source = Object.entries(files).reduce((text, [name, file]) => text.replace(`"${name}"`, JSON.stringify(file)), code);
  await writeFile(entry, source);
  await bundle({ input: entry, dir: folder.path, isWhole: true });
  const file = join(folder.path, "entry.js");
  return { file, text: await readFile(file, "utf8"), folder };
}
