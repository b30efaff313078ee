import { chmodSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { tempDir } from "@belay/testkit";
import { expect, it, onTestFinished } from "vitest";
import { pnpmCommand } from "./install.mjs";

/** A PATH on which `pnpm` answers with this version, and on which Node is. */
async function pathWithPnpm(version: string): Promise<string> {
  const dir = await tempDir("path");
  onTestFinished(dir.remove);
  const program = join(dir.path, "pnpm");
  writeFileSync(program, `#!/bin/sh\necho ${version}\n`);
  chmodSync(program, 0o755);
  return [dir.path, dirname(process.execPath), "/usr/bin", "/bin"].join(delimiter);
}

it("uses the pnpm it runs under", () => {
  const env = { PATH: "", npm_config_user_agent: "pnpm/12.21.0 npm/? node/?", npm_execpath: "/opt/pnpm/pnpm" };
  expect(pnpmCommand(["install"], env)).toEqual(["/opt/pnpm/pnpm", ["install"]]);
  expect(pnpmCommand(["install"], { ...env, npm_execpath: "/opt/pnpm/pnpm.cjs" })).toEqual([
    process.execPath,
    ["/opt/pnpm/pnpm.cjs", "install"],
  ]);
});

it("uses the pnpm on PATH when its major version fits", async () => {
  expect(pnpmCommand(["install"], { PATH: await pathWithPnpm("12.0.1") })).toEqual(["pnpm", ["install"]]);
});

it("fetches the right pnpm by npx when there is none, or another major version", async () => {
  const byNpx = ["npx", ["--yes", "pnpm@12.21.0", "install"]];
  expect(pnpmCommand(["install"], { PATH: "" })).toEqual(byNpx);
  expect(pnpmCommand(["install"], { PATH: await pathWithPnpm("9.15.0") })).toEqual(byNpx);
  const underNpm = { npm_config_user_agent: "npm/11.0.0 node/v20", npm_execpath: "/opt/npm/npm-cli.js" };
  expect(pnpmCommand(["install"], { PATH: "", ...underNpm })).toEqual(byNpx);
});
