// What a decision costs beyond hashing the unit: `isEnabled` of a 50 % rollout against a bare murmur3 of the same ids.
import { murmur3 } from "@belay/core";
import type { Snapshot } from "@belay/protocol";
import { createClient } from "@belay/sdk-node";
import { compareInRounds } from "./rounds.ts";

const PASSES = 100;

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

const units = Array.from({ length: 10_000 }, (_, index) => `user-${123_456 + index}`);
const contexts = units.map((targetingKey) => ({ targetingKey }));
const belay = createClient({ bootstrap: snapshot, offline: true });
// Every answer is stored, so that no contender's work can be left out by the compiler. Stored, not branched on: half the
// units are in, so a branch here would be mispredicted every second time and its cost be taken for the decision's.
const hashes = new Uint32Array(units.length);
const answers = new Array<boolean>(units.length).fill(false);

const timings = await compareInRounds(
  [
    {
      name: "bare murmur3 of the unit",
      operations: PASSES * units.length,
      run: () => {
        for (let pass = 0; pass < PASSES; pass += 1) {
          for (let at = 0; at < units.length; at += 1) hashes[at] = murmur3(units[at] as string);
        }
      },
    },
    {
      name: "isEnabled, 50 % rollout",
      operations: PASSES * units.length,
      run: () => {
        for (let pass = 0; pass < PASSES; pass += 1) {
          for (let at = 0; at < units.length; at += 1) answers[at] = belay.isEnabled("rollout", contexts[at]);
        }
      },
    },
  ],
  { rounds: 15, warmups: 5 },
);
for (const { name, medianNs, fastestNs, slowestNs } of timings) {
  console.log(`${name.padEnd(30)} ${medianNs.toFixed(1)} ns (${fastestNs.toFixed(1)} to ${slowestNs.toFixed(1)})`);
}
const [bare, enabled] = timings;
console.log(
  `ratio ${((enabled?.medianNs ?? Number.NaN) / (bare?.medianNs ?? Number.NaN)).toFixed(2)} (${answers.filter(Boolean).length} of ${units.length} units are in)`,
);
await belay.close();
