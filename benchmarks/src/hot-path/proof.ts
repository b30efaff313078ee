/* Before anything is timed, an adapter shows that it does the work of the scenarios and not some cheaper work. */

import { type Context, type OpenClient, openWith, type Rival } from "./rival.ts";
import { Excuse } from "./sample.ts";
import {
  EXPERIMENT,
  FEW_FLAGS,
  type FlagWork,
  IDS,
  matchingUser,
  plainUser,
  ROLLOUT,
  rollouts,
  ruledFlags,
  TARGETED,
  UNKNOWN_KEY,
  type User,
  VARIANTS,
} from "./work.ts";

/** What was shown, for the report. */
export interface Proof {
  readonly rolloutShare: number;
  readonly targetedShare: number;
  readonly variantShares: readonly number[];
  /** Exposures the sink received for the first thousand units; absent where the SDK has none. */
  readonly exposures?: number;
}

const EXPOSED_UNITS = 1_000;

/**
 * Proves a contender on 10,000 users.
 *
 * @throws {Error} naming the first thing that is not as it should be
 */
export async function prove(rival: Rival): Promise<Proof> {
  const client = await openWith(rival, FEW_FLAGS, { isTracking: false });
  try {
    await proveConditions(client);
    await proveUnknown(client);
    const rolloutShare = await shareOn(client, ROLLOUT.key, plainUser);
    const targetedShare = await shareOn(client, TARGETED.key, matchingUser);
    const variantShares = await sharesOfVariants(client);
    within("50 % rollout", rolloutShare, 0.48, 0.52);
    within("20 % rollout", targetedShare, 0.18, 0.22);
    for (const share of variantShares) within("third", share, 0.31, 0.36);
    within("same answer again", (await shareOn(client, ROLLOUT.key, plainUser)) - rolloutShare, 0, 0);
    return { rolloutShare, targetedShare, variantShares };
  } finally {
    await client.close();
  }
}

/** Proves that exposures arrive at the sink, at least one a unit. */
export async function proveExposures(rival: Rival): Promise<number> {
  if (rival.tracks === undefined) throw new Excuse("has no exposures");
  const client = await openWith(rival, FEW_FLAGS, { isTracking: true });
  try {
    for (const id of IDS.slice(0, EXPOSED_UNITS)) await client.variant(EXPERIMENT.key, client.context(plainUser(id)));
    const exposures = (await client.exposures?.()) ?? 0;
    within("exposures of 1,000 units", exposures, EXPOSED_UNITS, 3 * EXPOSED_UNITS);
    return exposures;
  } finally {
    await client.close();
  }
}

/** Proves that many flags are all there and differ from one another, and that rules look at the country. */
export async function proveMany(rival: Rival): Promise<void> {
  const plain = await openWith(rival, rollouts(MANY), { isTracking: false });
  const on = await countOn(plain, keysOf(rollouts(MANY)), plain.context(plainUser("user-1")));
  await plain.close();
  within("share of many flags on for one user", on / MANY, 0.4, 0.6);
  const ruled = await openWith(rival, ruledFlags(MANY_RULED), { isTracking: false });
  const onIn = (country: string): Promise<number> =>
    countOn(ruled, keysOf(ruledFlags(MANY_RULED)), ruled.context({ ...plainUser("user-1"), attributes: from(country) }));
  // Half of the flags have a rule for a given country, with shares of 10 to 85 %.
  within("ruled flags on in a country of no rule", await onIn("ZZ"), 0, 0);
  within("ruled flags on in a country of some rules", await onIn("DE"), 5, 50);
  await ruled.close();
}

const MANY = 1_000;
const MANY_RULED = 100;

function keysOf(flags: readonly FlagWork[]): string[] {
  return flags.map(({ key }) => key);
}

function from(country: string): NonNullable<User["attributes"]> {
  return { country, version: "1.0.0", email: "user-1@example.com" };
}

async function countOn(client: OpenClient, keys: readonly string[], context: Context): Promise<number> {
  if (client.countAllOn !== undefined) return client.countAllOn(keys, context);
  let on = 0;
  for (const key of keys) if (await client.isOn(key, context, false)) on++;
  return on;
}

async function shareOn(client: OpenClient, key: string, user: (id: string) => User): Promise<number> {
  let on = 0;
  for (const id of IDS) if (await client.isOn(key, client.context(user(id)), false)) on++;
  return on / IDS.length;
}

async function sharesOfVariants(client: OpenClient): Promise<number[]> {
  const met = new Map(VARIANTS.map((variant) => [variant, 0]));
  for (const id of IDS) {
    const variant = await client.variant(EXPERIMENT.key, client.context(plainUser(id)));
    met.set(variant, (met.get(variant) ?? 0) + 1);
  }
  return VARIANTS.map((variant) => (met.get(variant) ?? 0) / IDS.length);
}

/** Each condition lets nobody pass alone; versions are ordered as numbers, not as texts. */
async function proveConditions(client: OpenClient): Promise<void> {
  const misses = {
    country: { country: "US" },
    "older version": { version: "2.2.9" },
    "e-mail": { email: "user@example.org" },
  };
  for (const [name, miss] of Object.entries(misses)) {
    const share = await shareOn(client, TARGETED.key, (id) => ({ id, attributes: { ...attributesOf(id), ...miss } }));
    within(`another ${name}`, share, 0, 0);
  }
  const later = await shareOn(client, TARGETED.key, (id) => ({ id, attributes: { ...attributesOf(id), version: "10.0.0" } }));
  within("version 10.0.0, 20 % rollout", later, 0.18, 0.22);
}

function attributesOf(id: string): NonNullable<User["attributes"]> {
  return matchingUser(id).attributes as NonNullable<User["attributes"]>;
}

async function proveUnknown(client: OpenClient): Promise<void> {
  for (const fallback of [true, false]) {
    const answer = await client.isOn(UNKNOWN_KEY, client.context(plainUser("user-1")), fallback);
    if (answer !== fallback) throw new Error(`an unknown flag asked with ${fallback} answered ${answer}`);
  }
}

function within(what: string, found: number, least: number, most: number): void {
  if (!(found >= least && found <= most)) throw new Error(`${what}: ${found}, not within ${least} to ${most}`);
}
