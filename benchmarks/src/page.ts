import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { fileURLToPath } from "node:url";

const PAGE = fileURLToPath(new URL("../../docs/benchmarks.md", import.meta.url));

/** Prints what a scenario found, and with `--write` puts it into docs/benchmarks.md between the scenario's two marks. */
export function report(name: string, text: string): void {
  const section = `${circumstances()}\n\n${text.trim()}`;
  console.log(`\n${section}`);
  if (process.argv.includes("--write")) publish(name, section);
}

/** Puts a section into docs/benchmarks.md, between the two marks of its name. */
export function publish(name: string, section: string): void {
  writeFileSync(PAGE, withSection(readFileSync(PAGE, "utf8"), name, section));
}

/** The page with one marked section replaced. @throws Error when it has no such section. */
export function withSection(page: string, name: string, section: string): string {
  const begin = `<!-- ${name}: written by the benchmark -->`;
  const end = `<!-- ${name}: end -->`;
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from === -1 || to < from) throw new Error(`the page has no section between ${begin} and ${end}`);
  return `${page.slice(0, from)}${begin}\n\n${section.trim()}\n\n${page.slice(to)}`;
}

/** Lines of a table in Markdown. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cellOf).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}

function cellOf(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

/** A whole number as people read it. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString("en");
}

/** Others on the machine show in its load: the scenario itself keeps at most as many busy as there are processors. */
function circumstances(): string {
  const [load = 0] = loadavg();
  const processors = availableParallelism();
  const shared = load > processors + 1 ? "; others worked on the machine, so times are upper bounds and rates lower ones" : "";
  const model = cpus()[0]?.model.trim() ?? "unknown";
  return `Measured on ${new Date().toISOString().slice(0, 10)}, ${processors} processors (${model}), Node ${process.versions.node}, load ${load.toFixed(1)}${shared}.`;
}
