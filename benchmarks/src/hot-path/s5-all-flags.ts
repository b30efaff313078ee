// S5: 1,000 rollouts, all evaluated for one user.
import { quantile } from "../rounds.ts";
import { hashAll } from "./bare-hash.ts";
import { promoteLiving } from "./garbage.ts";
import { type Context, type OpenClient, openWith, type Rival } from "./rival.ts";
import type { Sample } from "./sample.ts";
import type { Scenario } from "./scenario.ts";
import { IDS, plainUser, rollouts } from "./work.ts";

const FLAGS = rollouts(1_000);
const KEYS = FLAGS.map(({ key }) => key);
const WARM_UP_MS = 120;
const TIMED_MS = 60;
/** As many hashes as there are flags. */
const HASHED_IDS = IDS.slice(0, FLAGS.length);

type CountAll = (context: Context) => number | Promise<number>;

export const S5: readonly Scenario[] = [
  { id: "S5", title: "1,000 flags for one user", unit: "us", measure: (rival) => timeAllFlags(rival) },
];

async function timeAllFlags(rival: Rival): Promise<Sample> {
  const client = await openWith(rival, FLAGS, { isTracking: false });
  try {
    const countAll = countAllOf(client, rival);
    let asked = 0;
    const user = (): Context => client.context(plainUser(IDS[asked++ % IDS.length] as string));
    for (const endsAt = performance.now() + WARM_UP_MS; performance.now() < endsAt; ) {
      hashAll(HASHED_IDS);
      await countAll(user());
    }
    return await timeUsers(countAll, user);
  } finally {
    await client.close();
  }
}

/** The median user counts, and the median pass of the hash: one that the machine interrupted is not the SDK's doing. */
async function timeUsers(countAll: CountAll, user: () => Context): Promise<Sample> {
  const askedUs: number[] = [];
  const bareUs: number[] = [];
  let on = 0;
  promoteLiving();
  for (const endsAt = performance.now() + TIMED_MS; performance.now() < endsAt || askedUs.length < 3; ) {
    const context = user();
    const bareAt = performance.now();
    hashAll(HASHED_IDS);
    const startedAt = performance.now();
    const counting = countAll(context);
    on += typeof counting === "number" ? counting : await counting;
    askedUs.push((performance.now() - startedAt) * 1e3);
    bareUs.push((startedAt - bareAt) * 1e3);
  }
  const share = on / askedUs.length / FLAGS.length;
  if (share < 0.4 || share > 0.6) throw new Error(`a user was served a share of ${share} of the flags`);
  return { value: quantile(askedUs, 0.5), bare: quantile(bareUs, 0.5), share };
}

function countAllOf(client: OpenClient, { answers }: Rival): CountAll {
  const { countAllOn } = client;
  if (countAllOn !== undefined) return (context) => countAllOn(KEYS, context);
  return answers === "sync" ? (context) => countOn(client, context) : (context) => countOnAwaited(client, context);
}

function countOn(client: OpenClient, context: Context): number {
  let on = 0;
  for (let i = 0; i < KEYS.length; i++) if (client.isOn(KEYS[i] as string, context, false)) on++;
  return on;
}

async function countOnAwaited(client: OpenClient, context: Context): Promise<number> {
  let on = 0;
  for (let i = 0; i < KEYS.length; i++) if (await client.isOn(KEYS[i] as string, context, false)) on++;
  return on;
}
