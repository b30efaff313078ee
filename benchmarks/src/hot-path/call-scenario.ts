import { quantile } from "../rounds.ts";
import { bareHash, hashAll } from "./bare-hash.ts";
import { type Pass, passOf, type Question } from "./calls.ts";
import { promoteLiving } from "./garbage.ts";
import { type Context, type OpenClient, openWith, type Rival } from "./rival.ts";
import type { Sample } from "./sample.ts";
import { type FlagWork, IDS, type User } from "./work.ts";

/** One call, asked for ten thousand users: S1 to S4. */
export interface CallScenario {
  readonly question: Question;
  readonly flags: readonly FlagWork[];
  readonly user: (id: string) => User;
  readonly isTracking: boolean;
  /** Between which shares the answers `true` or `first` must lie. */
  readonly share: readonly [least: number, most: number];
}

const WARM_UP_MS = 120;
/** Work timed in one sample at least; whole passes, three of them where they are short. */
const TIMED_MS = 60;
/** Of a call that takes nanoseconds: beside such passes most of a sample's time goes into making contexts for them. */
const PASSES_MAX = 50;
/** A pass that takes so long is a sample, and has warmed up whoever needs so long. */
const LONG_PASS_MS = 60;

/**
 * Nanoseconds a call. A pass asks for all users once, each with a context object made for that pass (ahead of it: making
 * contexts is the application's work), and is timed between two passes of the bare hash over the same ids. The median
 * pass counts: one that the machine interrupted is not the SDK's doing.
 */
export async function timeCalls(rival: Rival, scenario: CallScenario): Promise<Sample> {
  return withPass(rival, scenario, async (client, pass) => {
    const contexts = (): Context[] => IDS.map((id) => client.context(scenario.user(id)));
    await warmUp(pass, contexts);
    const times: number[] = [];
    const bareTimes: number[] = [];
    let served = 0;
    for (
      let timedMs = 0;
      times.length < PASSES_MAX && (timedMs < TIMED_MS || (times.length < 3 && timedMs < 3 * LONG_PASS_MS));
    ) {
      const fresh = contexts();
      promoteLiving();
      const bareBefore = timedBare();
      const startedAt = performance.now();
      const running = pass(fresh);
      served += typeof running === "number" ? running : await running;
      const tookMs = performance.now() - startedAt;
      timedMs += tookMs;
      times.push(tookMs * 1e6);
      bareTimes.push((bareBefore + timedBare()) / 2);
    }
    const nsPerCall = (passes: readonly number[]): number => quantile(passes, 0.5) / IDS.length;
    return checked({ value: nsPerCall(times), bare: nsPerCall(bareTimes), share: served / times.length / IDS.length }, scenario);
  });
}

const TAIL = 0.999;
const TAIL_PASSES = 12;
/** Slow SDKs are asked fewer times; each is asked at least two passes, 20 calls beyond the tail. */
const TAIL_MS = 400;

/**
 * The time that one call in a thousand exceeds, each call timed alone; the bare hash in the same way, turn and turn about
 * with the calls: so it finds the caches as they leave them, and what interrupts the one interrupts the other. The ids it
 * reads are those of half a pass before, lest it warm up what the call is about to read.
 */
export async function timeTail(rival: Rival, scenario: CallScenario): Promise<Sample> {
  return withPass(rival, scenario, async (client, pass) => {
    const contexts = (): Context[] => IDS.map((id) => client.context(scenario.user(id)));
    await warmUp(pass, contexts);
    const asked = new Float64Array(TAIL_PASSES * IDS.length);
    const bare = new Float64Array(TAIL_PASSES * IDS.length);
    const timeEach = rival.answers === "sync" ? timeEachCall : timeEachAwaited;
    // The first pass through loops not compiled yet is written over by the second.
    await timeEach(client, scenario.question, contexts(), { asked, bare });
    let passes = 0;
    for (
      const endsAt = performance.now() + TAIL_MS;
      passes < TAIL_PASSES && (passes < 2 || performance.now() < endsAt);
      passes++
    ) {
      const from = passes * IDS.length;
      const fresh = contexts();
      promoteLiving();
      await timeEach(client, scenario.question, fresh, { asked: asked.subarray(from), bare: bare.subarray(from) });
    }
    return { value: tailOf(asked.subarray(0, passes * IDS.length)), bare: tailOf(bare.subarray(0, passes * IDS.length)) };
  });
}

/** Opens the SDK with the scenario's flags for as long as `use` takes. */
export async function withPass<T>(
  rival: Rival,
  scenario: CallScenario,
  use: (client: OpenClient, pass: Pass) => Promise<T>,
): Promise<T> {
  const client = await openWith(rival, scenario.flags, { isTracking: scenario.isTracking });
  try {
    return await use(client, passOf(client, rival.answers, scenario.question));
  } finally {
    await client.close();
  }
}

/** At least one whole pass, so that every first exposure is behind us, then as many as the compiler needs. */
export async function warmUp(pass: Pass, contexts: () => Context[]): Promise<void> {
  for (let round = 0; round < 60; round++) hashAll(IDS);
  const endsAt = performance.now() + WARM_UP_MS;
  for (let tookMs = 0; tookMs < LONG_PASS_MS && performance.now() < endsAt; ) {
    const fresh = contexts();
    const startedAt = performance.now();
    await pass(fresh);
    tookMs = performance.now() - startedAt;
    // What the first calls queued is sent now, not while the next ones are timed.
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** @throws {Error} when the share served shows that other work was done than the scenario's. */
export function checked(sample: Sample & { readonly share: number }, { share: [least, most], question }: CallScenario): Sample {
  if (sample.share >= least && sample.share <= most) return sample;
  throw new Error(`${question.key} was served to a share of ${sample.share}, outside ${least} to ${most}`);
}

/** Nanoseconds of one pass of the bare hash. */
function timedBare(): number {
  const startedAt = performance.now();
  consumed += hashAll(IDS);
  return (performance.now() - startedAt) * 1e6;
}

/** Read by nobody; written so that the compiler must do the work. */
export let consumed = 0;

interface Times {
  readonly asked: Float64Array;
  readonly bare: Float64Array;
}

function timedHash(i: number): number {
  const id = IDS[(i + IDS.length / 2) % IDS.length] as string;
  const startedAt = performance.now();
  consumed += bareHash(id) & 1;
  return (performance.now() - startedAt) * 1e6;
}

function timeEachCall(client: OpenClient, { kind, key }: Question, contexts: readonly Context[], { asked, bare }: Times): void {
  for (let i = 0; i < contexts.length; i++) {
    bare[i] = timedHash(i);
    const startedAt = performance.now();
    if (kind === "boolean" ? client.isOn(key, contexts[i], false) : client.variant(key, contexts[i]) === "first") consumed++;
    asked[i] = (performance.now() - startedAt) * 1e6;
  }
}

async function timeEachAwaited(
  client: OpenClient,
  { kind, key }: Question,
  contexts: readonly Context[],
  { asked, bare }: Times,
): Promise<void> {
  for (let i = 0; i < contexts.length; i++) {
    bare[i] = timedHash(i);
    const startedAt = performance.now();
    const answer = await (kind === "boolean" ? client.isOn(key, contexts[i], false) : client.variant(key, contexts[i]));
    asked[i] = (performance.now() - startedAt) * 1e6;
    if (answer === true || answer === "first") consumed++;
  }
}

function tailOf(times: Float64Array): number {
  return times.toSorted()[Math.ceil(TAIL * times.length) - 1] as number;
}
