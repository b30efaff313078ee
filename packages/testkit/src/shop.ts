/*
 * What an SDK is held to against a real server, whatever its platform: each change is decided by, and each exposure comes
 * back once, as it was served.
 */
import { deepStrictEqual, ok, strictEqual } from "node:assert";
import { setTimeout as wait } from "node:timers/promises";
import { type Admin, adminOf } from "./admin.ts";
import type { ServerProcess } from "./server-process.ts";

/** The environment that shops are in. */
const PRODUCTION = "/projects/default/environments/production";

/** A server's `checkout`, a rollout that begins at 0 %, and `pricing`, an experiment of two halves; both for browsers too. */
export interface Shop {
  readonly admin: Admin;
  /** A new key. */
  key(kind: "server" | "client" | "remote"): Promise<string>;
  /** Gives `checkout` to that share of units. */
  roll(percentage: number): Promise<void>;
  /** Every exposure the server has stored. */
  exposures(): Promise<readonly ShopExposure[]>;
}

export interface ShopExposure {
  readonly unit: string;
  readonly variant: string;
  readonly [field: string]: unknown;
}

/** @param by the attribute that is the unit of `pricing` */
export async function openShop(
  { url, adminToken }: Pick<ServerProcess, "url" | "adminToken">,
  { by = "targetingKey" }: { readonly by?: string } = {},
): Promise<Shop> {
  const admin = adminOf(url, adminToken);
  const project = "/projects/default";
  const roll = async (percentage: number): Promise<void> => {
    await admin.send("PUT", `${PRODUCTION}/flags/checkout/rollout`, { percentage });
  };
  await admin.send("POST", `${project}/flags`, {
    ...{ key: "checkout", clientSide: true, metadata: { ticket: "SHOP-7" } },
    ...{ description: "a secret plan", owner: "mallory@example.com" },
  });
  await roll(0);
  const variants = { compact: "compact", roomy: "roomy" };
  await admin.send("POST", `${project}/flags`, { key: "pricing", type: "string", variants, clientSide: true, by });
  await admin.send("PUT", `${PRODUCTION}/flags/pricing`, {
    enabled: true,
    rules: [],
    fallthrough: { weights: { compact: 50, roomy: 50 }, tracks: { experiment: "pricing-test" } },
  });
  return {
    admin,
    roll,
    key: async (kind) => {
      const { secret } = await admin.send<{ secret: string }>("POST", `${project}/keys`, { environment: "production", kind });
      return secret;
    },
    exposures: async () => {
      let text = "";
      for await (const part of await admin.pull(`${project}/exposures?environment=production`, "application/x-ndjson"))
        text += part;
      const lines = text.split("\n").filter((line) => line !== "");
      return lines.map((line) => JSON.parse(line) as ShopExposure);
    },
  };
}

/** An SDK that follows a shop, wherever it runs. */
export interface SdkInShop {
  /** Whether `checkout` is on. */
  isOn(): boolean | Promise<boolean>;
  /** Asks for `pricing` on behalf of each unit: what each was served. */
  serve(units: readonly string[]): ReadonlyMap<string, string> | Promise<ReadonlyMap<string, string>>;
  /** Lets what was recorded arrive, in the platform's own way. */
  deliver(): Promise<void>;
}

const CHANGE_SEEN_MS = 5_000;
const ARRIVED_MS = 20_000;

/** Raises `checkout` to everybody and takes it back, in turns: each is decided by in time. */
export async function followsEachChange(sdk: SdkInShop, { roll }: Shop, turns: number): Promise<void> {
  for (let turn = 1; turn <= turns; turn += 1) {
    const isOn = turn % 2 === 1;
    await roll(isOn ? 100 : 0);
    const seen = async (): Promise<boolean> => (await sdk.isOn()) === isOn;
    ok(await within(CHANGE_SEEN_MS, seen), `change ${turn} of ${turns} was not decided by within ${CHANGE_SEEN_MS} ms`);
  }
}

/** Asks for `pricing` for that many units, twice each: every exposure comes back once, with the variant that was served. */
export async function exposesEachOnce(sdk: SdkInShop, { exposures }: Shop, count: number): Promise<readonly ShopExposure[]> {
  const units = Array.from({ length: count }, (_, n) => `user-${n}`);
  const served = await sdk.serve(units);
  deepStrictEqual(await sdk.serve(units), served);
  await sdk.deliver();
  await within(ARRIVED_MS, async () => (await exposures()).length >= count);
  const stored = await exposures();
  strictEqual(stored.length, count);
  deepStrictEqual(new Map(stored.map(({ unit, variant }) => [unit, variant])), new Map(served));
  return stored;
}

async function within(ms: number, holds: () => Promise<boolean>): Promise<boolean> {
  for (const end = Date.now() + ms; Date.now() < end; await wait(5)) if (await holds()) return true;
  return holds();
}
