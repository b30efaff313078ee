// S7: what a client keeps on the heap for simple flags.
import { quantile } from "../rounds.ts";
import { livingHeapBytes } from "./garbage.ts";
import { type OpenClient, openWith, type Rival } from "./rival.ts";
import type { Sample } from "./sample.ts";
import type { Scenario } from "./scenario.ts";
import { IDS, plainUser, rollouts } from "./work.ts";

export const S7: readonly Scenario[] = [
  {
    id: "S7-1k",
    title: "heap of a client with 1,000 flags",
    unit: "kB",
    roundsMax: 1,
    measure: (rival) => weighClient(rival, 1_000),
  },
  {
    id: "S7-5k",
    title: "heap of a client with 5,000 flags",
    unit: "kB",
    roundsMax: 1,
    measure: (rival) => weighClient(rival, 5_000),
  },
];

/** Clients opened one after the other and all kept. */
const CLIENTS = 4;

/**
 * Kilobytes that a further client adds to the heap: the median, because now and then something old is let go meanwhile
 * (code and caches of the engine age), and the first client pays for what is made once.
 */
async function weighClient(rival: Rival, flags: number): Promise<Sample> {
  const clients: OpenClient[] = [];
  const growths: number[] = [];
  for (let before = await livingHeapBytes(); clients.length < CLIENTS; ) {
    // The flags are made inside the call, so that nothing of ours outlives it.
    const client = await openWith(rival, rollouts(flags), { isTracking: false });
    await askLast(client, flags);
    clients.push(client);
    const after = await livingHeapBytes();
    growths.push(after - before);
    before = after;
  }
  for (const client of clients) {
    await askLast(client, flags);
    await client.close();
  }
  return { value: quantile(growths.slice(1), 0.5) / 1_000 };
}

async function askLast(client: OpenClient, flags: number): Promise<void> {
  await client.isOn(`flag-${flags - 1}`, client.context(plainUser(IDS[0] as string)), false);
}
