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
 * Runs scenario by scenario in interleaved rounds: each round asks every contender once, in a process of its own, and
 * turns the order round. A contender that has an excuse is asked once.
 *
 * @param minutes what the run may take: each scenario has its share of it, and what is left over by those before. One that
 *   has used it up ends after the round, but not before the third
 */
export async function runRounds(
  scenarios: readonly Scenario[],
  contenders: readonly string[],
  { rounds, minutes }: { readonly rounds: number; readonly minutes: number },
  say: (line: string) => void,
): Promise<Figure[]> {
  const figures: Figure[] = [];
  const dueRounds = scenarios.reduce((sum, { roundsMax = rounds }) => sum + Math.min(rounds, roundsMax), 0);
  let endsAt = performance.now();
  for (const scenario of scenarios) {
    const due = Math.min(rounds, scenario.roundsMax ?? rounds);
    const outcomes = new Map(contenders.map((contender) => [contender, new Outcome(scenario.id, contender)]));
    endsAt += (minutes * 60_000 * due) / dueRounds;
    for (let round = 0; round < due && (round < ROUNDS_MIN || performance.now() < endsAt); round++) {
      const startedAt = performance.now();
      for (const outcome of round % 2 === 0 ? outcomes.values() : [...outcomes.values()].reverse()) await outcome.ask();
      const tookS = (performance.now() - startedAt) / 1_000;
      say(`${scenario.id}: round ${round + 1} of ${due} in ${tookS.toFixed(1)} s`);
    }
    figures.push(...[...outcomes.values()].map((outcome) => outcome.figure()));
  }
  return figures;
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

const ROUNDS_MIN = 3;

/**
 * A contender whose samples take so long each (20,000 flags, compiled in eight seconds) is asked for fewer: the run as a
 * whole must stay short enough to be run. The report says how many there were.
 */
const LONG_SAMPLE_MS = 4_000;
const SAMPLES_OF_LONG = 3;

class Outcome {
  readonly #scenario: string;
  readonly #contender: string;
  readonly #samples: Sample[] = [];
  #excuse: string | undefined;
  #tookMs = 0;

  constructor(scenario: string, contender: string) {
    this.#scenario = scenario;
    this.#contender = contender;
  }

  async ask(): Promise<void> {
    if (this.#excuse !== undefined || this.#isLongEnough()) return;
    const startedAt = performance.now();
    const told = await spawnSample(this.#contender, this.#scenario);
    this.#tookMs += performance.now() - startedAt;
    if (told.kind === "sample") this.#samples.push(told.sample);
    else this.#excuse = reasonOf(told);
  }

  #isLongEnough(): boolean {
    const { length } = this.#samples;
    return length >= SAMPLES_OF_LONG && this.#tookMs / length > LONG_SAMPLE_MS;
  }

  figure(): Figure {
    const excuse = this.#excuse === undefined ? {} : { excuse: this.#excuse };
    return { scenario: this.#scenario, contender: this.#contender, samples: this.#samples, ...excuse };
  }
}

function reasonOf(told: Told): string {
  return told.kind === "excuse" || told.kind === "failure" ? told.reason : `it answered with ${told.kind}`;
}
