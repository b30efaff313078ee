import { relative } from "node:path";
import { ROOT } from "./install.mjs";

/**
 * The part of vitest's JSON report that is read here.
 *
 * @typedef {object} Report
 * @property {{ name: string, status: string, assertionResults: { fullName: string, status: string, failureMessages?: string[] }[] }[]} testResults
 */

/**
 * @typedef {object} Tally
 * @property {number} passed
 * @property {number} failed
 * @property {readonly string[]} skipped names of the tests that did not run, with their file
 * @property {readonly string[]} unsteady names of the tests that passed on a further try only, with what the first try said
 */

/**
 * Counts a test run. A file that failed without a failed test (it did not load) counts as one failure, and so does a
 * run that ended badly with every test green (an unhandled error).
 *
 * @param {Report | undefined} report absent when the run left none
 * @param {{ ended: boolean }} run whether the run's exit status was zero
 * @returns {Tally}
 */
export function tally(report, { ended }) {
  const files = report?.testResults ?? [];
  const tests = files.flatMap((file) => file.assertionResults.map((test) => ({ ...test, file: relative(ROOT, file.name) })));
  const failedTests = tests.filter((test) => test.status === "failed").length;
  const filesThatFell = files.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
  ).length;
  const failed = failedTests + filesThatFell;
  return {
    passed: tests.filter((test) => test.status === "passed").length,
    failed: failed === 0 && !ended ? 1 : failed,
    skipped: tests
      .filter((test) => test.status !== "passed" && test.status !== "failed")
      .map((test) => `${test.file} > ${test.fullName}`),
    unsteady: tests
      .filter((test) => test.status === "passed")
      .flatMap((test) =>
        (test.failureMessages ?? []).slice(0, 1).map((said) => `${test.file} > ${test.fullName}: ${firstLine(said)}`),
      ),
  };
}

/** @param {string} text @returns {string} */
function firstLine(text) {
  return text.split("\n", 1)[0] ?? "";
}

/** @param {Tally} counted @returns {string} the last line of `npm test` */
export function closingLine({ passed, failed, skipped, unsteady }) {
  return [
    `${passed} passed`,
    `${failed} failed`,
    ...(skipped.length === 0 ? [] : [`${skipped.length} skipped`]),
    ...(unsteady.length === 0 ? [] : [`${unsteady.length} unsteady`]),
  ].join(", ");
}

/** @param {Tally} counted @returns {string[]} one loud line for every test that needed a further try: a defect to mend */
export function unsteadyLines({ unsteady }) {
  return unsteady.map((name) => `UNSTEADY ${name}`);
}

/** @param {Tally} counted @returns {string[]} one loud line for every test that did not run */
export function skippedLines({ skipped }) {
  return skipped.map((name) => `SKIPPED ${name}`);
}
