// What a page pays for a boolean flag: bytes of the smallest import that starts and asks, and the time of one decision in
// Chromium where the SDK decides in the page. Beside the rivals' browser SDKs, at the versions of benchmarks/rivals.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { tempDir } from "@belay/testkit";
import { type Browser, chromium } from "playwright-core";
import { rolldown } from "rolldown";
import { CONTENDERS, type PageContender } from "./browser/contenders.ts";
import { compareInPage } from "./browser/speed.ts";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const RIVALS = join(REPOSITORY, "benchmarks", "rivals");
const CHROMIUM = process.env["BELAY_TEST_CHROMIUM"] ?? "/usr/bin/chromium";
const ROUNDS = 9;

for (const script of [join(RIVALS, "install.mjs"), join(REPOSITORY, "packages/sdk-browser/scripts/bundle.mjs")]) {
  const { status } = spawnSync(process.execPath, [script], { cwd: REPOSITORY, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
const folder = await tempDir("browser-benchmark");
const versions = (JSON.parse(readFileSync(join(RIVALS, "package.json"), "utf8")) as { dependencies: Record<string, string> })
  .dependencies;

console.log("| SDK | decides | gzip, bytes | brotli, bytes |\n|---|---|---|---|");
for (const contender of CONTENDERS) {
  const script = await bundled(contender, contender.code);
  const gzip = gzipSync(script, { level: 9 }).length.toLocaleString("en");
  const brotli = brotliCompressSync(script).length.toLocaleString("en");
  console.log(`| ${nameOf(contender)} | ${contender.decides} | ${gzip} | ${brotli} |`);
}

if (!existsSync(CHROMIUM)) {
  console.error("NO CHROMIUM: the time of a decision is not measured. Install it, or set BELAY_TEST_CHROMIUM.");
} else {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
  await time(browser, "a decision", ({ decide }) => decide);
  await time(browser, "a user's first decision, making the user known included", ({ first }) => first);
  await browser.close();
}
await folder.remove();

/** Times what a script of each contender does for 1,000 users. */
async function time(browser: Browser, what: string, scriptOf: (contender: PageContender) => string | undefined): Promise<void> {
  const timed = CONTENDERS.filter((contender) => scriptOf(contender) !== undefined);
  // One after the other: they go through the same file.
  const scripts: string[] = [];
  for (const contender of timed) scripts.push(await bundled(contender, scriptOf(contender) ?? ""));
  const timings = await compareInPage(browser, scripts, ROUNDS);
  console.log(`\n| SDK | ns ${what}, median of ${ROUNDS} | fastest | slowest |\n|---|---|---|---|`);
  for (const [index, { medianNs, fastestNs, slowestNs, share }] of timings.entries()) {
    const figures = [medianNs, fastestNs, slowestNs].map((ns) => Math.round(ns)).join(" | ");
    console.log(`| ${nameOf(timed[index] as PageContender)} (${share} of 1,000 on) | ${figures} |`);
  }
}

function nameOf({ name, packageName }: PageContender): string {
  return packageName === undefined ? name : `${name} ${versions[packageName] ?? ""}`.trim();
}

/** What the application's own bundler would make of this code. */
async function bundled({ name }: PageContender, code: string): Promise<string> {
  const entry = join(folder.path, `${name.replaceAll(/\W+/g, "-")}.js`);
  await writeFile(entry, code);
  const build = await rolldown({
    input: entry,
    platform: "browser",
    resolve: {
      modules: [join(RIVALS, "node_modules")],
      alias: { "@belay/sdk-browser": join(REPOSITORY, "packages/sdk-browser/dist") },
    },
    transform: { define: { "process.env.NODE_ENV": '"production"' } },
    onLog: () => {},
  });
  const { output } = await build.generate({ format: "esm", minify: true, comments: false, codeSplitting: false });
  await build.close();
  return output[0].code;
}
