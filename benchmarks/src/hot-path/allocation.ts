/*
 * Bytes a call allocates: how far the heap grows over calls between which nothing was collected. The young generation is
 * made large enough for that (see `spawn-sample.ts`), and a collection that happened nevertheless voids the measurement.
 */
import { PerformanceObserver } from "node:perf_hooks";
import { type CallScenario, warmUp, withPass } from "./call-scenario.ts";
import { collectAll } from "./garbage.ts";
import type { Context, Rival } from "./rival.ts";
import type { Sample } from "./sample.ts";
import { IDS } from "./work.ts";

/** Growth at most: a quarter of the young generation that samples run with. */
const GROWTH_BYTES_MAX = 64 * 1024 * 1024;
const PASSES_MAX = 100;

/** Bytes a call of the scenario leaves on the heap. */
export async function weighCalls(rival: Rival, scenario: CallScenario): Promise<Sample> {
  return withPass(rival, scenario, async (client, pass) => {
    const fresh = (): Context[] => IDS.map((id) => client.context(scenario.user(id)));
    await warmUp(pass, fresh);
    const contexts = fresh();
    const few = contexts.slice(0, 1_000);
    const estimate = await growthOf(() => pass(few), 1);
    const passes = Math.min(PASSES_MAX, Math.floor(GROWTH_BYTES_MAX / Math.max(1, 10 * estimate)));
    if (passes < 1) return { value: estimate / few.length };
    return { value: (await growthOf(() => pass(contexts), passes)) / (passes * contexts.length) };
  });
}

/** Bytes a call of a function that makes one small object each time. */
export async function weighControl(): Promise<Sample> {
  const kept: { readonly at: number }[] = Array.from({ length: IDS.length }, () => ({ at: 0 }));
  const pass = (): void => {
    for (let at = 0; at < kept.length; at++) kept[at] = { at };
  };
  for (let round = 0; round < 100; round++) pass();
  return { value: (await growthOf(pass, 10)) / (10 * IDS.length) };
}

/**
 * Bytes by which `runs` of `run` let the heap grow. Collections start for other reasons too, so there are some attempts.
 *
 * @throws {Error} when something was collected in each of them
 */
export async function growthOf(run: () => unknown, runs: number): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    collectAll();
    const growth = await growthInOneAttempt(run, runs);
    if (growth !== undefined) return growth;
  }
  throw new Error(`the heap was collected while it was being weighed, ${ATTEMPTS} times`);
}

const ATTEMPTS = 5;

async function growthInOneAttempt(run: () => unknown, runs: number): Promise<number | undefined> {
  const collections = await watchCollections();
  const startedAt = performance.now();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < runs; i++) {
    const running = run();
    if (running instanceof Promise) await running;
  }
  const growth = process.memoryUsage().heapUsed - before;
  const endedAt = performance.now();
  const collected = (await collections.end()).filter((at) => at >= startedAt && at <= endedAt);
  return collected.length > 0 ? undefined : Math.max(0, growth);
}

/** Start times of the collections, on the clock of `performance`. */
async function watchCollections(): Promise<{ end(): Promise<readonly number[]> }> {
  const times: number[] = [];
  const observer = new PerformanceObserver((list) => {
    for (const { startTime } of list.getEntries()) times.push(startTime);
  });
  observer.observe({ entryTypes: ["gc"] });
  await new Promise((resolve) => setTimeout(resolve, 5));
  return {
    async end() {
      // Entries are handed over in a later turn.
      await new Promise((resolve) => setTimeout(resolve, 20));
      observer.disconnect();
      return times;
    },
  };
}
