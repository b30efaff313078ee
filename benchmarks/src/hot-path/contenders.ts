import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { belay } from "./belay.ts";
import { byHand } from "./by-hand.ts";
import type { Rival } from "./rival.ts";

/** Ours, by the name it is asked for. */
export const OURS = "belay";

/** The floor below everybody: no rival. */
export const BY_HAND = "by-hand";

/** Adapters in `benchmarks/rivals`, in the order of the report. */
export const RIVALS: readonly string[] = [
  "flagd-core",
  "growthbook",
  "unleash",
  "launchdarkly",
  "configcat",
  "eppo",
  "statsig",
  "optimizely",
  "split",
  "openfeature-in-memory",
  "flagsmith",
  "posthog",
];

const FOLDER = new URL("../../rivals/", import.meta.url);

/** Whether the rivals have been installed; they come with `npm run bench:rivals` alone. */
export function hasRivals(): boolean {
  return existsSync(fileURLToPath(new URL("node_modules", FOLDER)));
}

/**
 * Loads a contender: only the one, so that no SDK shares a process with another.
 *
 * @throws {Error} when its package is not installed
 */
export async function loadContender(name: string): Promise<Rival> {
  if (name === OURS) return belay;
  if (name === BY_HAND) return byHand;
  const adapter: { default: Rival } = await import(new URL(`${name}.mjs`, FOLDER).href);
  return adapter.default;
}
