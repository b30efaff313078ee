/* Days of users, some of whom fail, brought to a watch event by event as the intake brings them. */

import { type Guardrail, SPACE_PPM } from "@belay/protocol";
import { type Dice, seeded } from "@belay/testkit";
import { ReleaseWatch } from "./guardrails.ts";
import { onLine, pointOf } from "./placement.ts";
import { PLACED } from "./ramp.fixture.ts";
import { ERRORS, T0 } from "./release.fixture.ts";

const DAY = 1_440;
const USERS = 1_000;
const RATE = 0.01;
const MINUTE_MS = 60_000;

export type Weather = (minute: number) => number;

/** Base rates of failure: what a rollback must not be fooled by. */
export const WEATHERS: Readonly<Record<string, Weather>> = {
  "steady base rate": () => RATE,
  "daily wave": (minute) => RATE * (1 + 0.8 * Math.sin((2 * Math.PI * minute) / DAY)),
  "10x incident of 30 minutes": (minute) => (minute >= 600 && minute < 630 ? 10 * RATE : RATE),
};

export interface Day {
  readonly share: number;
  readonly weather: Weather;
  /** Failure rate of treatment over control's, from a minute on. */
  readonly ratio: number;
  readonly from: number;
}

/** Minutes from the beginning of harm to the verdict "rollback"; `undefined`: not in a day, or before there was harm. */
export function minutesToRollback(seed: number, { share, weather, ratio, from }: Day): number | undefined {
  const dice = seeded(seed);
  const salt = `s${seed}`;
  const ppm = share * SPACE_PPM;
  const watch = new ReleaseWatch({ placement: onLine(salt), guardrails: [ERRORS], epochs: [{ from: T0, ppm, revision: 1 }] });
  const units = unitsByArm(salt, ppm);
  for (let minute = 0; minute < DAY + from; minute += 1) {
    const at = T0 + minute * MINUTE_MS;
    const rate = weather(minute);
    const failing = [
      ...take(units.treated, poisson(dice, USERS * share * rate * (minute >= from ? ratio : 1))),
      ...take(units.control, poisson(dice, USERS * (1 - share) * rate)),
    ];
    for (const unit of failing) {
      // Whoever fails fails again: only the first failure of a person counts.
      for (let times = dice.below(3); times >= 0; times -= 1) watch.noteMetric({ name: "error", unit }, at);
    }
    if (watch.read().guardrails[0]?.verdict === "rollback") return minute >= from ? minute - from + 1 : undefined;
  }
  return undefined;
}

/**
 * The same of an experiment with a half of those who are in for control and a quarter for each of two treatments, of which one does
 * harm. Units come as another server tells of them, so that none has to be looked for.
 */
export function minutesToTakeBack(seed: number, { share, weather, ratio, from }: Day): number | undefined {
  const dice = seeded(seed);
  const epochs = [{ from: T0, ppm: share * SPACE_PPM, revision: 1 }];
  const watch = new ReleaseWatch({ placement: PLACED, guardrails: [ERRORS], epochs });
  let units = 0;
  for (let minute = 0; minute < DAY + from; minute += 1) {
    for (const [arm, size] of PLACED.sizesAt(1).entries()) {
      const harm = arm === 1 && minute >= from ? ratio : 1;
      const failing = poisson(dice, USERS * share * size * weather(minute) * harm);
      for (let i = 0; i < failing; i += 1) {
        const unit = { point: 0, id: `${units++}`, arm };
        watch.noteSighting({ kind: "event", name: "error", unit, at: T0 + minute * MINUTE_MS });
      }
    }
    if (watch.read().guardrails[0]?.verdict === "rollback") return minute >= from ? minute - from + 1 : undefined;
  }
  return undefined;
}

/** Whether a day of 1,800 orders an hour, log-normal and alike in both arms, 5 % of them treated, is rolled back. */
export function rollsBackAlikeOrders(seed: number, harm: Guardrail["harm"]): boolean {
  const dice = seeded(seed);
  const measure = { kind: "values", event: "order", cap: 400, scale: 5 } as const;
  const epochs = [{ from: T0, ppm: 50_000, revision: 1 }];
  const watch = new ReleaseWatch({ placement: onLine(`v${seed}`), guardrails: [{ ...ERRORS, measure, harm }], epochs });
  for (let minute = 0; minute < DAY; minute += 1) {
    for (let i = 0; i < 30; i += 1) {
      const normal = Math.sqrt(-2 * Math.log(1 - dice.fraction())) * Math.cos(2 * Math.PI * dice.fraction());
      const order = { name: "order", unit: `${minute}-${i}`, value: Math.exp(3 + 1.2 * normal) };
      watch.noteMetric(order, T0 + minute * MINUTE_MS);
    }
    if (minute % 10 === 0 && watch.read().guardrails[0]?.verdict === "rollback") return true;
  }
  return false;
}

/** Endless new units of each arm. */
function unitsByArm(salt: string, ppm: number): { readonly treated: Iterator<string>; readonly control: Iterator<string> } {
  const pick = function* (prefix: string, isWanted: (point: number) => boolean): Generator<string, never> {
    for (let i = 0; ; i += 1) if (isWanted(pointOf(salt, `${prefix}${i}`))) yield `${prefix}${i}`;
  };
  return { treated: pick("t", (point) => point < ppm), control: pick("c", (point) => point >= ppm) };
}

function take(units: Iterator<string>, count: number): string[] {
  return Array.from({ length: count }, () => String(units.next().value));
}

/** Knuth's product of uniforms: for means up to some hundreds. */
function poisson(dice: Dice, mean: number): number {
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = dice.fraction(); product > limit; product *= dice.fraction()) count += 1;
  return count;
}
