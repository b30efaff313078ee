import { spawn } from "node:child_process";
import { ROOT } from "./install.mjs";

/**
 * One check: its name in the report, and what runs it.
 *
 * @typedef {object} Step
 * @property {string} name
 * @property {readonly string[]} command program and arguments
 * @property {boolean} [shown] output goes to the terminal as it comes; otherwise it is printed only on failure
 */

/**
 * Runs steps side by side and prints one line for each as it ends.
 *
 * @param {readonly Step[]} steps
 * @returns {Promise<boolean>} whether all of them passed
 */
export async function runSideBySide(steps) {
  const passed = await Promise.all(steps.map(run));
  return passed.every(Boolean);
}

/** @param {Step} step @returns {Promise<boolean>} */
async function run(step) {
  const startedAt = performance.now();
  const { status, output } = await execute(step);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${status === 0 ? "ok    " : "FAILED"} ${step.name} (${seconds} s)`);
  if (status !== 0 && output !== "") console.log(`${output.trimEnd()}\n`);
  return status === 0;
}

/** @param {Step} step @returns {Promise<{ status: number, output: string }>} */
function execute({ command: [program = "", ...args], shown = false }) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: ROOT, stdio: shown ? "inherit" : ["ignore", "pipe", "pipe"] });
    /** @type {Buffer[]} */
    const chunks = [];
    child.stdout?.on("data", (chunk) => chunks.push(chunk));
    child.stderr?.on("data", (chunk) => chunks.push(chunk));
    child.on("error", reject);
    child.on("close", (status) => resolve({ status: status ?? 1, output: Buffer.concat(chunks).toString("utf8") }));
  });
}
