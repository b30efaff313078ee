// S8: one flag of 20,000 changes while the application keeps asking: the longest time between two answers.
import { type Context, type OpenClient, openWith, type Rival } from "./rival.ts";
import { Excuse, type Sample } from "./sample.ts";
import type { Scenario } from "./scenario.ts";
import { IDS, plainUser, type RolloutWork, rollouts } from "./work.ts";

const FLAGS = 20_000;
const CHANGED: RolloutWork = { kind: "rollout", key: "flag-7", percent: 100 };
const WARM_UP_MS = 300;
const ARRIVES_WITHIN_MS = 20_000;
/** Answers between two turns of the event loop, in which a change can arrive. */
const TURN = 50;

export const S8: readonly Scenario[] = [
  {
    id: "S8",
    title: "longest pause while 1 flag of 20,000 changes",
    unit: "ms",
    measure: (rival) => timeSwap(rival),
  },
];

async function timeSwap(rival: Rival): Promise<Sample> {
  const flags = rollouts(FLAGS);
  const client = await openWith(rival, flags, { isTracking: false, isSwapped: true });
  try {
    const handOver = await client.prepareSwap?.(flags, CHANGED);
    if (handOver === undefined) throw new Excuse("takes changes only by its own polling");
    const isOn = askFor(client, await contextThatIsOff(client));
    await longestPause(isOn, () => {}, WARM_UP_MS);
    const swap = await longestPause(isOn, handOver, ARRIVES_WITHIN_MS);
    if (!swap.isOn) throw new Error("the change did not arrive");
    return { value: swap.longestMs };
  } finally {
    await client.close();
  }
}

type Ask = () => boolean | Promise<boolean>;

function askFor(client: OpenClient, context: Context): Ask {
  return () => client.isOn(CHANGED.key, context, false);
}

/** A user that the change lets in. */
async function contextThatIsOff(client: OpenClient): Promise<Context> {
  for (const id of IDS) {
    const context = client.context(plainUser(id));
    if (!(await client.isOn(CHANGED.key, context, false))) return context;
  }
  throw new Error("everybody is in a rollout of 50 %");
}

/** Begins something and asks until the flag is on, or for so long; the longest time between two answers. */
async function longestPause(
  ask: Ask,
  begin: () => void | Promise<void>,
  forMs: number,
): Promise<{ readonly longestMs: number; readonly isOn: boolean }> {
  let longestMs = 0;
  let isOn = false;
  let last = performance.now();
  const endsAt = last + forMs;
  const begun = begin();
  while (!isOn && last < endsAt) {
    for (let i = 0; i < TURN; i++) {
      const answer = ask();
      isOn = typeof answer === "boolean" ? answer : await answer;
      const now = performance.now();
      longestMs = Math.max(longestMs, now - last);
      last = now;
    }
    await new Promise(setImmediate);
  }
  await begun;
  return { longestMs, isOn };
}
