import { FLAGS } from "./flags.ts";
import type { Look } from "./story.ts";

const BAR_WIDTH = 16;
const ROLLBACK_AT = 100;

/** How both releases stand, on one line: evidence of harm as a bar that is full where a release goes back. */
export function barLine({ evidence, shares }: Look): string {
  const parts = FLAGS.map((flag) => {
    const [found, given] = [evidence[flag], mean(shares[flag])];
    const text = found === undefined ? "no longer watched".padEnd(BAR_WIDTH + 11) : `${bar(found)} evidence${number(found)}`;
    return `${flag.padEnd(8)} ${`${(100 * given).toFixed(1)} %`.padStart(6)} ${text}`;
  });
  return parts.join("   ");
}

/** Filled by the logarithm, from evidence 1 to 100: every tenfold evidence is half a bar. */
function bar(evidence: number): string {
  const filled = Math.round(BAR_WIDTH * Math.min(1, Math.max(0, Math.log(evidence) / Math.log(ROLLBACK_AT))));
  return "█".repeat(filled) + "░".repeat(BAR_WIDTH - filled);
}

function number(evidence: number): string {
  return (evidence >= 10 ? evidence.toFixed(0) : evidence.toFixed(1)).padStart(6).slice(0, 6);
}

function mean(numbers: readonly number[]): number {
  return numbers.length === 0 ? 0 : numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
}
