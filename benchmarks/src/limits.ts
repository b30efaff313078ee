/*
 * What is possible at all: the least that any SDK must do for a 50 % rollout, step by step, and Belay beside it in the same
 * run. No check of anything, no counter, no rules, no call: what is below the last step but one is out of reach for code
 * that decides flags by their key for users that stand in contexts.
 *
 *   npm run bench -- limits
 */
import { type BelayClient, createClient } from "@belay/sdk-node";
import { bareHash, hashAll } from "./hot-path/bare-hash.ts";
import { belay } from "./hot-path/belay.ts";
import { FEW_FLAGS, IDS, ROLLOUT } from "./hot-path/work.ts";
import { compareInRounds } from "./rounds.ts";

const PASSES = 20;

const contexts = IDS.map((targetingKey) => ({ targetingKey }));
const seeds = new Map(FEW_FLAGS.map(({ key }, at) => [key, at + 1]));
const client: BelayClient = createClient({
  bootstrap: JSON.parse(belay.document(FEW_FLAGS, { isTracking: false })),
  offline: true,
});
let served = 0;

const steps: readonly { readonly name: string; readonly pass: () => number }[] = [
  { name: "the bare hash of the ids", pass: () => hashAll(IDS) },
  { name: "... read out of contexts", pass: hashContexts },
  { name: "... and a look-up of the flag by its key", pass: hashAndLookUp },
  { name: "Belay", pass: askAll },
];

const timings = await compareInRounds(
  steps.map(({ name, pass }) => ({
    name,
    operations: PASSES * IDS.length,
    run: () => {
      for (let at = 0; at < PASSES; at++) served += pass();
    },
  })),
  { rounds: 25, warmups: 10 },
);
const bareNs = timings[0]?.medianNs ?? Number.NaN;
for (const { name, medianNs } of timings) {
  console.log(`${name.padEnd(44)}${medianNs.toFixed(1).padStart(7)} ns${(medianNs / bareNs).toFixed(2).padStart(7)}x`);
}
console.log(`(${served} answers consumed)`);
await client.close();

function hashContexts(): number {
  let low = 0;
  for (let i = 0; i < contexts.length; i++) if (bareHash(idAt(i)) >= 0) low++;
  return low;
}

function hashAndLookUp(): number {
  let low = 0;
  for (let i = 0; i < contexts.length; i++) if ((bareHash(idAt(i)) ^ seedOf(ROLLOUT.key)) >= 0) low++;
  return low;
}

function askAll(): number {
  let on = 0;
  for (let i = 0; i < contexts.length; i++) if (client.isEnabled(ROLLOUT.key, contexts[i], false)) on++;
  return on;
}

function seedOf(key: string): number {
  return seeds.get(key) ?? 0;
}

function idAt(i: number): string {
  return (contexts[i] as { readonly targetingKey: string }).targetingKey;
}
