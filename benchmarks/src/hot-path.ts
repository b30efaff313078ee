/*
 * The hot path against its rivals: every contender in a process of its own for every sample, in interleaved rounds,
 * after it has proven that it does the same work.
 *
 *   npm run bench:rivals                                  everything, seven rounds, about a quarter of an hour
 *   npm run bench:rivals -- --rounds 21 --minutes 40      ... and further rounds, as long as they begin within that time
 *   npm run bench:rivals -- --scenarios S1,S3 --contenders belay,growthbook --rounds 1
 *   npm run bench:rivals -- --publish                     ... and write the figures into docs/benchmarks.md
 *   npm run bench -- hot-path                             Belay and the floor, without an install of rivals
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { BY_HAND, hasRivals, OURS, RIVALS } from "./hot-path/contenders.ts";
import { sectionOf } from "./hot-path/markdown.ts";
import { reportText } from "./hot-path/report.ts";
import { introduceAll, machineOf, type Run, runRounds } from "./hot-path/run.ts";
import type { Scenario } from "./hot-path/scenario.ts";
import { SCENARIOS } from "./hot-path/scenarios.ts";
import { PINNED_TO } from "./hot-path/spawn-sample.ts";
import { publish } from "./page.ts";

const RESULTS = new URL("../results/", import.meta.url);
const ROUNDS = 7;
/** For rounds beyond the seven that a figure needs; without installing and proving. */
const MINUTES = 14;

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: String(ROUNDS) },
    minutes: { type: "string", default: String(MINUTES) },
    scenarios: { type: "string" },
    contenders: { type: "string" },
    publish: { type: "boolean", default: false },
  },
});

const run = await measure();
writeResults(run);
console.log(`\n${reportText(run, SCENARIOS)}\n`);
if (options.publish) publish("hot-path", sectionOf(run, SCENARIOS));

async function measure(): Promise<Run> {
  const rounds = Number(options.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds must be a whole number from 1, not ${options.rounds}`);
  const minutes = Number(options.minutes);
  if (!(minutes > 0)) throw new Error(`--minutes must be a number over 0, not ${options.minutes}`);
  const scenarios = chosenScenarios();
  const contenders = await introduceAll(chosenContenders(), (line) => console.log(line));
  const able = contenders.filter(({ introduction }) => introduction !== undefined).map(({ key }) => key);
  console.log(
    `${scenarios.length} figures of ${able.length} contenders, ${PINNED_TO === undefined ? "not pinned (no taskset)" : `calls pinned to processor ${PINNED_TO}`}`,
  );
  const startedAt = performance.now();
  const figures = await runRounds(scenarios, able, { rounds, minutes }, (line) =>
    console.log(`${((performance.now() - startedAt) / 60_000).toFixed(1).padStart(5)} min  ${line}`),
  );
  const command = ["npm run", hasRivals() ? "bench:rivals" : "bench -- hot-path", ...process.argv.slice(2)].join(" ");
  return { date: new Date().toISOString().slice(0, 10), machine: machineOf(), command, rounds, contenders, figures };
}

/** `S1` chooses all figures of S1. */
function chosenScenarios(): Scenario[] {
  const chosen = options.scenarios?.split(",");
  return SCENARIOS.filter(({ id }) => chosen === undefined || chosen.includes(id) || chosen.includes(id.split("-")[0] as string));
}

function chosenContenders(): readonly string[] {
  if (options.contenders !== undefined) return options.contenders.split(",");
  if (hasRivals()) return [OURS, BY_HAND, ...RIVALS];
  console.log("The rivals are not installed, so Belay runs beside the floor alone; `npm run bench:rivals` installs them.");
  return [OURS, BY_HAND];
}

function writeResults(run: Run): void {
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(new URL("hot-path.json", RESULTS), `${JSON.stringify(run, undefined, 2)}\n`);
}
