import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const APPLICATION = fileURLToPath(new URL("../typed-flags/", import.meta.url));
const TSC = fileURLToPath(new URL("../../../node_modules/typescript/bin/tsc", import.meta.url));

/** Compiles an application against the built package; what the compiler said, nothing when all is well. */
async function compile(folder: string): Promise<string> {
  const run = promisify(execFile)(process.execPath, [TSC, "--project", folder]);
  const { stdout } = await run.catch((error: { stdout: string }) => error);
  return stdout;
}

describe("declared flags", () => {
  it("compile where they are used as declared, and 17 mistakes with them do not", async () => {
    const source = readFileSync(`${APPLICATION}application.ts`, "utf8");
    expect(source.match(/@ts-expect-error/g)).toHaveLength(17);
    expect(await compile(APPLICATION)).toBe("");
  });
});
