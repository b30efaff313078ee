/**
 * Runs bars in full and writes them into the table of docs/statistics.md, between its two markers. All take about ten minutes on one core.
 *
 *   pnpm --filter @belay/stats simulate             all bars
 *   pnpm --filter @belay/stats simulate rollback    only bars whose name or group holds the word; the others keep their rows
 */
import { readFileSync, writeFileSync } from "node:fs";
import { type Bar, holds, type Measured } from "./bar.ts";
import { BARS, measure, SEED } from "./bars.ts";

const PAGE = new URL("../../../../docs/statistics.md", import.meta.url);
const BEGIN = "<!-- simulations: begin -->";
const END = "<!-- simulations: end -->";

const word = process.argv[2]?.toLowerCase();
const chosen = BARS.filter(({ group, name }) => word === undefined || `${group} ${name}`.toLowerCase().includes(word));
const results = chosen.map((bar) => {
  const startedAt = performance.now();
  const measured = measure(bar, "full");
  const seconds = (performance.now() - startedAt) / 1000;
  const row = { bar, measured, passes: holds(bar, measured) };
  console.log(
    `${row.passes ? "holds" : "FAILS"}  ${bar.group}: ${bar.name}: ${cell(bar, measured)} (${limitText(bar)}; ${seconds.toFixed(0)} s)`,
  );
  return row;
});

writeTable();
process.exitCode = results.every(({ passes }) => passes) ? 0 : 1;

function writeTable(): void {
  const page = readFileSync(PAGE, "utf8");
  const [before, after] = [page.slice(0, page.indexOf(BEGIN) + BEGIN.length), page.slice(page.indexOf(END))];
  const kept = page.slice(before.length, page.length - after.length).split("\n");
  const rows = BARS.flatMap((bar) => {
    const head = `| ${bar.group} | ${bar.name} |`;
    const fresh = results.find((result) => result.bar === bar);
    return fresh === undefined ? kept.filter((line) => line.startsWith(head)) : [rowOf(head, fresh)];
  });
  const table = [
    "| group | what | limit | measured (± 1 se) | runs | holds |",
    "| --- | --- | --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
  writeFileSync(PAGE, `${before}\nSeed ${SEED}.\n\n${table}\n${after}`);
}

function rowOf(head: string, { bar, measured, passes }: { bar: Bar; measured: Measured; passes: boolean }): string {
  return `${head} ${limitText(bar)} | ${cell(bar, measured)} | ${bar.runs.full.toLocaleString("en")} | ${passes ? "yes" : "**no**"} |`;
}

function cell(bar: Bar, { value, standardError }: Measured): string {
  return `${text(bar, value)} ± ${text(bar, standardError)}`;
}

function limitText(bar: Bar): string {
  const { min, max } = bar.limit;
  if (min !== undefined && max !== undefined) return `${text(bar, min)} to ${text(bar, max)}`;
  return min === undefined ? `<= ${text(bar, max ?? 0)}` : `>= ${text(bar, min)}`;
}

function text({ format }: Bar, value: number): string {
  if (format === "percent") return `${(100 * value).toFixed(2)} %`;
  if (format === "number") return value.toFixed(5);
  return format === "units" ? Math.round(value).toLocaleString("en") : `${value.toFixed(1)} min`;
}
