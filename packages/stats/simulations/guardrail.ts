/** Bars of the exact event split: 1,000 users a minute, 1 % of them fail, looked at every minute of a day. */
import { type EventSplitState, observeFailures, splitEvidence, startEventSplit } from "@belay/stats";
import { type Bar, medianOver, shareOf } from "./bar.ts";
import type { Random } from "./random.ts";

const DAY = 1440;
const USERS = 1000;
const RATE = 0.01;
const ALARM = Math.log(100);

type Weather = (minute: number) => number;

const WEATHERS: Readonly<Record<string, Weather>> = {
  "steady base rate": () => RATE,
  "daily wave": (minute) => RATE * (1 + 0.8 * Math.sin((2 * Math.PI * minute) / DAY)),
  "10x incident of 30 minutes in both arms": (minute) => (minute >= 600 && minute < 630 ? 10 * RATE : RATE),
};

const DETECTIONS = [
  { ratio: 5, from: 0, share: 0.01, max: 18 },
  { ratio: 5, from: 0, share: 0.05, max: 5 },
  { ratio: 5, from: 0, share: 0.1, max: 3 },
  { ratio: 1.5, from: 0, share: 0.01, max: 560 },
  { ratio: 1.5, from: 0, share: 0.05, max: 125 },
  { ratio: 1.5, from: 0, share: 0.1, max: 70 },
  { ratio: 5, from: 720, share: 0.05, max: 8 },
];

export const GUARDRAIL_BARS: readonly Bar[] = [
  ...Object.entries(WEATHERS).flatMap(([name, weather]) =>
    [0.01, 0.05, 0.1].map(
      (share): Bar => ({
        group: "Automatic rollback",
        name: `false alarms in 24 h, ${100 * share} % exposed, ${name}`,
        limit: { max: 0.015 },
        format: "percent",
        runs: { quick: 20, full: 2000 },
        simulate: (runs, random) =>
          shareOf(runs, () => minutesToAlarm(random, { share, weather, ratio: 1, from: 0 }) !== undefined),
      }),
    ),
  ),
  ...DETECTIONS.map(
    ({ ratio, from, share, max }): Bar => ({
      group: "Automatic rollback",
      name: `median minutes to find ${ratio}x failures${from > 0 ? ` that begin at minute ${from}` : ""}, ${100 * share} % exposed`,
      limit: { max },
      format: "minutes",
      runs: { quick: ratio === 5 ? 100 : 40, full: 2000 },
      simulate: (runs, random) =>
        medianOver(runs, () => minutesToAlarm(random, { share, weather: () => RATE, ratio, from }) ?? Number.POSITIVE_INFINITY),
    }),
  ),
];

interface Day {
  readonly share: number;
  readonly weather: Weather;
  /** Failure rate of treatment over control's, from a minute on. */
  readonly ratio: number;
  readonly from: number;
}

/** Minutes from the beginning of harm to the alarm; an alarm before it is a false one and counts as none. */
function minutesToAlarm(random: Random, { share, weather, ratio, from }: Day): number | undefined {
  let state: EventSplitState = startEventSplit();
  for (let minute = 0; minute < DAY + from; minute++) {
    const rate = weather(minute);
    const treated = random.poisson(USERS * share * rate * (minute >= from ? ratio : 1));
    const others = random.poisson(USERS * (1 - share) * rate);
    const next = observeFailures(state, { hour: Math.floor(minute / 60), share, treated, total: treated + others });
    if (next.status !== "ok") return undefined;
    state = next;
    const evidence = splitEvidence(state);
    if (evidence.status === "ok" && evidence.logE >= ALARM) return minute >= from ? minute - from + 1 : undefined;
  }
  return undefined;
}
