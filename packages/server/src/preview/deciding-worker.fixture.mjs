/*
 * A million units, and what a flag gives each of them: every one decided by core, as the build has it. Nothing is known here of
 * how a preview measures. In a thread of its own, for it computes for seconds at a time; built, for what a test runner loads
 * calls from module to module through getters, which doubles the price of a decision.
 *
 * Told a snapshot, it answers how many units went from which outcome of the snapshot before to which of this one: an edit costs
 * one decision a unit, not two. Nothing is allocated for a unit but the texts it goes by, once.
 */
import { parentPort, workerData } from "node:worker_threads";
import { compile } from "@belay/core";

/** Outcomes that a flag may have given in one snapshot; the random ones have some twenty. */
const OUTCOMES_MAX = 256;

const { units: unitsMax, flag } = workerData;
// Short, for every unit is hashed again in every space of every edit: four characters are one block of the hash.
const users = Array.from({ length: unitsMax }, (_, unit) => (36 ** 3 + unit).toString(36));
const accounts = users.map((user) => `a-${user}`);
/** Number of each unit's outcome, in the order in which the snapshot's outcomes came up first. */
const given = new Uint8Array(unitsMax);
/** Units by both outcomes' numbers. */
const flows = new Uint32Array(OUTCOMES_MAX * OUTCOMES_MAX);
/** One object for all: core keeps no context. */
const context = { targetingKey: "", account: "", country: "" };
let before = [];

parentPort.on("message", (question) => parentPort.postMessage(answer(question)));

/**
 * @param {import("./deciding.fixture.ts").Question} question
 * @returns {readonly import("./deciding.fixture.ts").Flow[]}
 */
function answer({ snapshot, units, countries }) {
  const ruleset = compile(snapshot);
  const outcomes = [];
  flows.fill(0);
  for (let unit = 0; unit < units; unit += 1) {
    context.targetingKey = users[unit];
    context.account = accounts[unit];
    context.country = countries[unit % countries.length];
    const outcome = ruleset.decide(flag, context);
    // Core answers with constants it made once. There are few: to look through them is cheaper than to ask a map.
    let number = 0;
    while (number < outcomes.length && outcomes[number] !== outcome) number += 1;
    if (number === OUTCOMES_MAX) throw new RangeError("more outcomes than there are numbers");
    if (number === outcomes.length) outcomes.push(outcome);
    flows[given[unit] * OUTCOMES_MAX + number] += 1;
    given[unit] = number;
  }
  const after = outcomes.map(told);
  const moved = before.flatMap((from, row) =>
    after.map((to, column) => ({ from, to, units: flows[row * OUTCOMES_MAX + column] })),
  );
  before = after;
  return moved.filter((flow) => flow.units > 0);
}

/** @param {import("@belay/core").Outcome} outcome */
function told({ value, variant, reason, ruleId, errorCode, tracks }) {
  return { value, variant, reason, rule: ruleId, errorCode, experiment: tracks?.experiment };
}
