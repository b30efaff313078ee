// S7: what a client keeps on the heap for simple flags.
import { livingHeapBytes } from "./garbage.ts";
import { openWith, type Rival } from "./rival.ts";
import type { Sample } from "./sample.ts";
import type { Scenario } from "./scenario.ts";
import { IDS, plainUser, rollouts } from "./work.ts";

export const S7: readonly Scenario[] = [
  {
    id: "S7-1k",
    title: "heap of a client with 1,000 flags",
    unit: "kB",
    roundsMax: 3,
    measure: (rival) => weighClient(rival, 1_000),
  },
  {
    id: "S7-10k",
    title: "heap of a client with 10,000 flags",
    unit: "kB",
    roundsMax: 3,
    measure: (rival) => weighClient(rival, 10_000),
  },
];

async function weighClient(rival: Rival, flags: number): Promise<Sample> {
  await touchAndClose(rival);
  const before = await livingHeapBytes();
  // The text is made inside the call, so that nothing of ours outlives it.
  const client = await openWith(rival, rollouts(flags), { isTracking: false });
  const isOn = await client.isOn(`flag-${flags - 1}`, client.context(plainUser(IDS[0] as string)), false);
  const after = await livingHeapBytes();
  await client.close();
  if (typeof isOn !== "boolean") throw new Error("the last flag was not answered");
  return { value: (after - before) / 1_000 };
}

/** What the SDK loads and makes once, whatever the flags, is not their heap. */
async function touchAndClose(rival: Rival): Promise<void> {
  const client = await openWith(rival, rollouts(1), { isTracking: false });
  await client.isOn("flag-0", client.context(plainUser(IDS[0] as string)), false);
  await client.close();
}
