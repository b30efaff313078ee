// `npm test`: everything that must hold before a change is shared. Stops at the first thing that does not.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TSC } from "./build.mjs";
import { ensureInstalled, ROOT } from "./install.mjs";
import { requireNode } from "./node-version.mjs";
import { runSideBySide } from "./step.mjs";
import { closingLine, skippedLines, tally, unsteadyLines } from "./tally.mjs";

const node = process.execPath;
/** @param {string} path @returns {string} */
const tool = (path) => join(ROOT, "node_modules", path);

requireNode();
ensureInstalled("all");
const folder = mkdtempSync(join(tmpdir(), "belay-test-"));
try {
  process.exitCode = (await checkAll(join(folder, "vitest.json"))) ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true });
}

/**
 * @param {string} reportFile where vitest writes what it counted
 * @returns {Promise<boolean>}
 */
async function checkAll(reportFile) {
  const sourcesHold = await runSideBySide([
    { name: "types: sources, tests, scripts, examples", command: [node, TSC, "-b"] },
    { name: "lint and format", command: [node, tool("@biomejs/biome/bin/biome"), "check", "."] },
    { name: "nothing unused", command: [node, tool("knip/bin/knip.js")] },
  ]);
  if (!sourcesHold) return stopped();
  if (!(await runSideBySide([{ name: "packages as published", command: [node, "scripts/packaging.mjs"] }]))) return stopped();
  return runTests(reportFile);
}

/** The tests did not run: say so, and close as one failure. */
function stopped() {
  console.log("Stopped: the tests did not run.");
  console.log(closingLine({ passed: 0, failed: 1, skipped: [], unsteady: [] }));
  return false;
}

/** @param {string} reportFile @returns {Promise<boolean>} */
async function runTests(reportFile) {
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${reportFile}`];
  const ended = await runSideBySide([
    { name: "tests", command: [node, tool("vitest/vitest.mjs"), "run", ...reporters], shown: true },
  ]);
  const counted = tally(readReport(reportFile), { ended });
  for (const line of [...skippedLines(counted), ...unsteadyLines(counted)]) console.log(line);
  console.log(closingLine(counted));
  return ended && counted.failed === 0 && counted.passed > 0;
}

/** @param {string} file @returns {import("./tally.mjs").Report | undefined} absent when vitest fell before writing it */
function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}
