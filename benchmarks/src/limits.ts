/*
 * What is possible at all: the least that any SDK must do for a scenario, and Belay beside it in the same run. No check of
 * anything, no counter, no rules, no call: what is below the last step but one of a list is out of reach for code that
 * decides flags by their key for users that stand in contexts.
 *
 *   npm run bench -- limits
 */
import type { Snapshot } from "@belay/protocol";
import { type BelayClient, createClient } from "@belay/sdk-node";
import { bareHash, hashAll } from "./hot-path/bare-hash.ts";
import { belay } from "./hot-path/belay.ts";
import {
  EXPERIMENT,
  FEW_FLAGS,
  type FlagWork,
  IDS,
  matchingUser,
  ROLLOUT,
  rollouts,
  ruledFlags,
  TARGETED,
  UNKNOWN_KEY,
} from "./hot-path/work.ts";
import { compareInRounds } from "./rounds.ts";

/** A step of a list: does the work once and returns how much of it came out true. */
interface Step {
  readonly name: string;
  readonly run: () => number;
}

const contexts = IDS.map((targetingKey) => ({ targetingKey }));
const targeted = IDS.map((id) => {
  const { attributes } = matchingUser(id);
  return {
    targetingKey: id,
    country: attributes?.country ?? "",
    version: attributes?.version ?? "",
    email: attributes?.email ?? "",
  };
});
const seeds = new Map([...FEW_FLAGS, ...rollouts(1_000)].map(({ key }, at) => [key, at + 1]));
const countries = new Set(TARGETED.countries);
const MANY = rollouts(1_000).map(({ key }) => key);
const THOUSAND = IDS.slice(0, MANY.length);
const SILENT = { warn: (): void => {}, error: (): void => {} };
const few = clientOf(FEW_FLAGS);
const many = clientOf(rollouts(1_000));
let served = 0;
let asked = 0;

const bare: Step = { name: "the bare hash of the ids", run: () => hashAll(IDS) };
await list("S1: ns a call", { calls: IDS.length, passes: 20 }, [
  bare,
  { name: "... read out of contexts", run: hashContexts },
  { name: "... and a look-up of the flag by its key", run: hashAndLookUp },
  { name: "Belay", run: askRollout },
]);
await list("S2: ns a call", { calls: IDS.length, passes: 10 }, [
  bare,
  { name: "... with three conditions written out for these users", run: askByHand },
  { name: "Belay", run: askTargeted },
]);
await list("S3 untracked: ns a call", { calls: IDS.length, passes: 20 }, [bare, { name: "Belay", run: askExperiment }]);
await list("S4: ns a call", { calls: IDS.length, passes: 40 }, [
  { name: "a look-up of a key that is not there", run: lookUpUnknown },
  { name: "Belay", run: askUnknown },
]);
await list("S5: ns a flag, 1,000 flags for one user after another", { calls: MANY.length, passes: 100 }, [
  { name: "the bare hash of a thousand ids", run: () => hashAll(THOUSAND) },
  { name: "the bare hash of the user and a look-up, for each flag", run: hashForEachFlag },
  { name: "Belay", run: askAllFlags },
]);
await listStart();
console.log(`(${served} answers consumed)`);
await Promise.all([few.close(), many.close()]);

/** Times the steps in interleaved rounds, and prints each with its multiple of the first. */
async function list(title: string, { calls, passes }: { calls: number; passes: number }, steps: readonly Step[]): Promise<void> {
  const timings = await compareInRounds(
    steps.map(({ name, run }) => ({
      name,
      operations: passes * calls,
      run: () => {
        for (let pass = 0; pass < passes; pass++) served += run();
      },
    })),
    { rounds: 15, warmups: 8 },
  );
  const firstNs = timings[0]?.medianNs ?? Number.NaN;
  console.log(title);
  for (const { name, medianNs } of timings) {
    console.log(`  ${name.padEnd(56)}${medianNs.toFixed(1).padStart(9)}${(medianNs / firstNs).toFixed(2).padStart(8)}x`);
  }
}

/** S6: what parsing alone takes of a start. */
async function listStart(): Promise<void> {
  const text = belay.document(ruledFlags(20_000), { isTracking: false });
  const timings = await compareInRounds(
    [
      { name: "parsing its text alone", operations: 1, run: () => void parse(text) },
      { name: "Belay, with the first answer", operations: 1, run: () => start(text) },
    ],
    { rounds: 5, warmups: 1 },
  );
  const firstNs = timings[0]?.medianNs ?? Number.NaN;
  console.log(`S6: ms, 20,000 flags of five rules, ${(text.length / 1e6).toFixed(1)} MB`);
  for (const { name, medianNs } of timings) {
    console.log(`  ${name.padEnd(56)}${(medianNs / 1e6).toFixed(0).padStart(9)}${(medianNs / firstNs).toFixed(2).padStart(8)}x`);
  }
}

async function start(text: string): Promise<void> {
  const client = createClient({ bootstrap: parse(text), offline: true, logger: SILENT });
  if (client.isEnabled("flag-19999", targeted[0], false)) served++;
  await client.close();
}

function parse(text: string): Snapshot {
  return JSON.parse(text) as Snapshot;
}

function clientOf(flags: readonly FlagWork[]): BelayClient {
  return createClient({ bootstrap: parse(belay.document(flags, { isTracking: false })), offline: true, logger: SILENT });
}

// A loop for each step: one that takes the question as a function would be compiled for all of them at once, and inline none.
function hashContexts(): number {
  let low = 0;
  for (let i = 0; i < contexts.length; i++) if (bareHash(contextAt(i).targetingKey) >= 0) low++;
  return low;
}

function hashAndLookUp(): number {
  let low = 0;
  for (let i = 0; i < contexts.length; i++) if ((bareHash(contextAt(i).targetingKey) ^ seedOf(ROLLOUT.key)) >= 0) low++;
  return low;
}

function askRollout(): number {
  let on = 0;
  for (let i = 0; i < contexts.length; i++) if (few.isEnabled(ROLLOUT.key, contexts[i], false)) on++;
  return on;
}

function askByHand(): number {
  let on = 0;
  for (let i = 0; i < targeted.length; i++) if (isTargeted(targeted[i] as (typeof targeted)[number])) on++;
  return on;
}

function askTargeted(): number {
  let on = 0;
  for (let i = 0; i < targeted.length; i++) if (few.isEnabled(TARGETED.key, targeted[i], false)) on++;
  return on;
}

function askExperiment(): number {
  let first = 0;
  for (let i = 0; i < contexts.length; i++) if (few.value(EXPERIMENT.key, contextAt(i), "control") === "first") first++;
  return first;
}

function lookUpUnknown(): number {
  let found = 0;
  for (let i = 0; i < contexts.length; i++) if (seeds.get(UNKNOWN_KEY) === undefined) found++;
  return found;
}

function askUnknown(): number {
  let on = 0;
  for (let i = 0; i < contexts.length; i++) if (few.isEnabled(UNKNOWN_KEY, contexts[i], true)) on++;
  return on;
}

function hashForEachFlag(): number {
  const { targetingKey } = nextUser();
  let low = 0;
  for (let i = 0; i < MANY.length; i++) if ((bareHash(targetingKey) ^ seedOf(MANY[i] as string)) >= 0) low++;
  return low;
}

function askAllFlags(): number {
  const user = nextUser();
  let on = 0;
  for (let i = 0; i < MANY.length; i++) if (many.isEnabled(MANY[i] as string, user, false)) on++;
  return on;
}

function contextAt(i: number): { readonly targetingKey: string } {
  return contexts[i] as (typeof contexts)[number];
}

/** The conditions of S2 as one would write them by hand, and the hash. */
function isTargeted({ targetingKey, country, version, email }: (typeof targeted)[number]): boolean {
  return countries.has(country) && isFrom23(version) && email.endsWith(TARGETED.emailEnd) && bareHash(targetingKey) >= 0;
}

/** At least 2.3, of a version that is known to be three numbers. */
function isFrom23(version: string): boolean {
  let field = 0;
  let value = 0;
  let major = 0;
  for (let i = 0; i < version.length; i++) {
    const unit = version.charCodeAt(i);
    if (unit !== 0x2e) value = value * 10 + (unit - 0x30);
    else if (field++ === 0) {
      major = value;
      value = 0;
    } else break;
  }
  return major > 2 || (major === 2 && value >= 3);
}

function nextUser(): { readonly targetingKey: string } {
  return contexts[asked++ % contexts.length] as (typeof contexts)[number];
}

function seedOf(key: string): number {
  return seeds.get(key) ?? 0;
}
