/*
 * What is possible at all: the work of each scenario written out by hand (`hot-path/by-hand.ts`), and Belay beside it, in
 * interleaved rounds of a process each. `npm run bench:rivals` has the same beside the rivals, so that its page says of
 * every goal whether code without an SDK would meet it.
 *
 *   npm run bench -- limits
 */
import { BY_HAND, OURS } from "./hot-path/contenders.ts";
import { reportText } from "./hot-path/report.ts";
import { introduceAll, machineOf, runRounds } from "./hot-path/run.ts";
import { SCENARIOS } from "./hot-path/scenarios.ts";

const ROUNDS = 7;

// Not the bytes, which are none either way, nor a heap and a swap, which nobody writes by hand.
const scenarios = SCENARIOS.filter(({ id, unit }) => unit !== "bytes" && /^S[1-6]/.test(id));
const contenders = await introduceAll([OURS, BY_HAND], console.log);
const able = contenders.flatMap(({ key, introduction }) => (introduction === undefined ? [] : [key]));
const figures = await runRounds(scenarios, able, { rounds: ROUNDS, minutes: Number.POSITIVE_INFINITY }, console.log);
const date = new Date().toISOString().slice(0, 10);
const run = { date, machine: machineOf(), command: "npm run bench -- limits", rounds: ROUNDS, contenders, figures };
console.log(`\n${reportText(run, scenarios)}`);
