// What a decision costs beyond hashing the unit: `isEnabled` of a 50 % rollout against a bare murmur3 of the same ids.
import { murmur3 } from "@belay/core";
import type { Snapshot } from "@belay/protocol";
import { createClient } from "@belay/sdk-node";
import { compareInRounds } from "./rounds.ts";

const CALLS = 1_000_000;

const snapshot: Snapshot = {
  format: 1,
  project: "benchmark",
  environment: "production",
  revision: 1,
  spaces: {},
  segments: {},
  flags: {
    rollout: {
      type: "boolean",
      variants: { on: true, off: false },
      spaces: { share: { salt: "k7d2m4qa" } },
      enabled: true,
      off: "off",
      rules: [{ id: "rollout", serve: { split: [{ variant: "on", draws: [{ space: "share", in: [[0, 500_000]] }] }] } }],
      fallthrough: { variant: "off" },
    },
  },
};

const units = Array.from({ length: 10_000 }, (_, index) => `user-${index}`);
const contexts = units.map((targetingKey) => ({ targetingKey }));
const belay = createClient({ bootstrap: snapshot, offline: true });
// Results are summed and printed, so that no contender's work can be left out by the compiler.
let sum = 0;

const timings = await compareInRounds(
  [
    {
      name: "bare murmur3 of the unit",
      operations: CALLS,
      run: () => {
        for (let call = 0; call < CALLS; call += 1) sum += murmur3(units[call % units.length] as string) & 1;
      },
    },
    {
      name: "isEnabled, 50 % rollout",
      operations: CALLS,
      run: () => {
        for (let call = 0; call < CALLS; call += 1) sum += belay.isEnabled("rollout", contexts[call % contexts.length]) ? 1 : 0;
      },
    },
  ],
  { rounds: 15, warmups: 5 },
);
for (const { name, medianNs, fastestNs, slowestNs } of timings) {
  console.log(`${name.padEnd(30)} ${medianNs.toFixed(1)} ns (${fastestNs.toFixed(1)} to ${slowestNs.toFixed(1)})`);
}
const [bare, enabled] = timings;
console.log(`ratio ${((enabled?.medianNs ?? Number.NaN) / (bare?.medianNs ?? Number.NaN)).toFixed(2)} (checksum ${sum})`);
await belay.close();
