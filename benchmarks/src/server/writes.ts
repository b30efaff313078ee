import { type Control, ENVIRONMENT } from "../control.ts";
import { whole } from "../page.ts";
import { quantile } from "../rounds.ts";
import { CONNECTIONS } from "./asking.ts";
import type { Unleash } from "./unleash.ts";

const ALONE = 300;
const TOGETHER = 3_000;
/** Unleash writes so slowly that fewer must do. */
const OF_UNLEASH = 100;

type Write = (n: number) => Promise<unknown>;

/** Changes of rollouts: one writer after another, then eight at once. */
export async function writeRows({ send }: Control, unleash: Unleash | undefined, flags: number): Promise<string[][]> {
  const belay: Write = (n) =>
    send("PUT", `/environments/${ENVIRONMENT}/flags/flag-${n % flags}/rollout`, { percentage: n % 101 });
  const rival: Write | undefined = unleash && ((n) => unleash.change(n % flags, n % 101));
  return [
    ["a change through the API, p50 / p99", "<= 2 / 10 ms", await alone(belay, ALONE), "", await alone(rival, OF_UNLEASH)],
    [
      `changes of ${CONNECTIONS} writers at once`,
      ">= 1,500/s",
      await together(belay, ALONE, TOGETHER),
      "",
      await together(rival, OF_UNLEASH, OF_UNLEASH),
    ],
  ];
}

async function alone(write: Write | undefined, count: number): Promise<string> {
  if (write === undefined) return "";
  const times: number[] = [];
  for (let n = 0; n < count; n += 1) {
    const since = performance.now();
    await write(n);
    times.push(performance.now() - since);
  }
  return `${quantile(times, 0.5).toFixed(1)} / ${quantile(times, 0.99).toFixed(1)} ms`;
}

async function together(write: Write | undefined, from: number, count: number): Promise<string> {
  if (write === undefined) return "";
  let next = from;
  const since = performance.now();
  const writer = async (): Promise<void> => {
    while (next < from + count) await write(next++);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, writer));
  return `${whole(count / ((performance.now() - since) / 1_000))}/s`;
}
