import { arch, cpus, platform } from "node:os";
import { quantile } from "../rounds.ts";
import type { Sample } from "./sample.ts";
import type { Scenario } from "./scenario.ts";
import { spawnSample } from "./spawn-sample.ts";
import { type Introduction, PROOF, type Told } from "./told.ts";

/** Everything one run found out: what is written as JSON, and what the report is made of. */
export interface Run {
  readonly date: string;
  readonly machine: string;
  readonly command: string;
  readonly rounds: number;
  readonly contenders: readonly Contender[];
  readonly figures: readonly Figure[];
}

/** Who took part, or why not. */
export interface Contender {
  /** As it is asked for on the command line. */
  readonly key: string;
  readonly introduction?: Introduction;
  readonly failure?: string;
}

/** One contender in one scenario. */
export interface Figure {
  readonly scenario: string;
  readonly contender: string;
  readonly samples: readonly Sample[];
  /** Why there are none. */
  readonly excuse?: string;
}

/** The middle of a figure's samples, and of their yardsticks. */
export interface Middle {
  /** Samples there were. */
  readonly samples: number;
  readonly value: number;
  readonly fastest: number;
  readonly slowest: number;
  /** Median of each sample's own multiple of its own yardstick. */
  readonly timesBare?: number;
}

/** Lets every contender prove its work, one process each. */
export async function introduceAll(keys: readonly string[], say: (line: string) => void): Promise<Contender[]> {
  const contenders: Contender[] = [];
  for (const key of keys) {
    const told = await spawnSample(key, PROOF);
    const contender = told.kind === "introduction" ? { key, introduction: told.introduction } : { key, failure: reasonOf(told) };
    say(`${key.padEnd(24)} ${contender.failure === undefined ? "does the work" : `cannot take part: ${contender.failure}`}`);
    contenders.push(contender);
  }
  return contenders;
}

/**
 * Runs the rounds: each asks every contender once for every scenario, in a process of its own, and turns the order of the
 * contenders round. All scenarios have their first sample before any has its second, so what happens to the machine in
 * some of these minutes happens to all of them. A contender that has an excuse is asked once.
 *
 * @param minutes past them no round begins but the first seven
 */
export async function runRounds(
  scenarios: readonly Scenario[],
  contenders: readonly string[],
  { rounds, minutes }: { readonly rounds: number; readonly minutes: number },
  say: (line: string) => void,
): Promise<Figure[]> {
  const plan = scenarios.map(({ id, roundsMax = rounds }) => ({
    id,
    roundsMax,
    outcomes: contenders.map((contender) => new Outcome(id, contender)),
  }));
  const endsAt = performance.now() + minutes * 60_000;
  for (let round = 0; round < rounds && (round < ROUNDS_MIN || performance.now() < endsAt); round++) {
    for (const { id, roundsMax, outcomes } of plan) {
      if (round >= roundsMax) continue;
      const startedAt = performance.now();
      for (const outcome of round % 2 === 0 ? outcomes : outcomes.toReversed()) await outcome.ask();
      const tookS = (performance.now() - startedAt) / 1_000;
      say(`round ${round + 1} of ${rounds}: ${id} in ${tookS.toFixed(1)} s`);
    }
  }
  return plan.flatMap(({ outcomes }) => outcomes.map((outcome) => outcome.figure()));
}

/** The machine and the Node that ran. */
export function machineOf(): string {
  const processors = cpus();
  return `${processors[0]?.model.trim() ?? "unknown processor"}, ${processors.length} cores, ${platform()} ${arch()}, Node ${process.version}`;
}

/** The middle of a figure's samples; `undefined` where it has none. */
export function middleOf({ samples }: Figure): Middle | undefined {
  if (samples.length === 0) return undefined;
  const values = samples.map(({ value }) => value);
  const multiples = samples.filter(({ bare }) => bare !== undefined).map(({ value, bare = Number.NaN }) => value / bare);
  return {
    samples: samples.length,
    value: quantile(values, 0.5),
    fastest: quantile(values, 0),
    slowest: quantile(values, 1),
    ...(multiples.length === 0 ? {} : { timesBare: quantile(multiples, 0.5) }),
  };
}

/** A figure has seven samples at least, however long they take: fewer are no median. */
const ROUNDS_MIN = 7;

class Outcome {
  readonly #scenario: string;
  readonly #contender: string;
  readonly #samples: Sample[] = [];
  #excuse: string | undefined;

  constructor(scenario: string, contender: string) {
    this.#scenario = scenario;
    this.#contender = contender;
  }

  async ask(): Promise<void> {
    if (this.#excuse !== undefined) return;
    const told = await spawnSample(this.#contender, this.#scenario);
    if (told.kind === "sample") this.#samples.push(told.sample);
    else this.#excuse = reasonOf(told);
  }

  figure(): Figure {
    const excuse = this.#excuse === undefined ? {} : { excuse: this.#excuse };
    return { scenario: this.#scenario, contender: this.#contender, samples: this.#samples, ...excuse };
  }
}

function reasonOf(told: Told): string {
  return told.kind === "excuse" || told.kind === "failure" ? told.reason : `it answered with ${told.kind}`;
}
