/*
 * The floor: the work of the scenarios written out by hand over Belay's own document, by somebody who may leave out whatever
 * an SDK is for. No check of anything, no rules but these, no counters, no explanation, no delivery. What this takes, any
 * code takes that decides flags by their key for users that stand in contexts; a goal that it misses is out of reach.
 */
import type { Snapshot, SnapshotFlag } from "@belay/protocol";
import { belay } from "./belay.ts";
import type { OpenClient, OpenOptions, Rival } from "./rival.ts";
import { TARGETED, type User, VARIANTS } from "./work.ts";

export const byHand: Rival = {
  name: "by hand",
  version: "(no SDK)",
  answers: "sync",
  tracks: "a table of the units met; nothing is sent",
  note: "the least work there is, see `by-hand.ts`",
  document: (flags, options) => belay.document(flags, options),
  open: async (document, { isTracking }: OpenOptions) => {
    const { flags } = JSON.parse(document) as Snapshot;
    return isRuled(Object.values(flags)[0]) ? ruledClient(flags) : plainClient(flags, isTracking);
  },
};

/** A flag, as little of it as can decide: where its salt left the hash, and who is in. */
interface Flag {
  readonly state: number;
  readonly isTargeted: boolean;
  /** Of the signed hash with its sign bit turned, so that its order is that of the unsigned one. */
  readonly below: number;
}

interface Context {
  readonly targetingKey: string;
  readonly country: string;
  readonly version: string;
  readonly email: string;
}

const SALT_BYTES = 8;
const SIGN = 0x80000000 | 0;
const COUNTRIES = new Set(TARGETED.countries);
const THIRD = -715_827_883;
const TWO_THIRDS = 715_827_882;

function plainClient(definitions: Snapshot["flags"], isTracking: boolean): OpenClient {
  const flags = new Map(Object.entries(definitions).map(([key, flag]) => [key, flagOf(flag)]));
  const met = new Met();
  return {
    context: contextOf,
    isOn(key, context, fallback) {
      const flag = flags.get(key);
      if (flag === undefined) return fallback;
      const user = context as Context;
      if (flag.isTargeted && !isInTarget(user)) return false;
      return (hashAfter(flag.state, user.targetingKey) ^ SIGN) < flag.below;
    },
    variant(key, context) {
      const flag = flags.get(key) as Flag;
      const { targetingKey } = context as Context;
      return isTracking ? met.variant(flag.state, targetingKey) : variantAt(hashAfter(flag.state, targetingKey) ^ SIGN);
    },
    exposures: () => met.units,
    close() {},
  };
}

/** Rules are looked for in the parsed document itself: nothing is done for a flag before somebody asks for it. */
function ruledClient(flags: Snapshot["flags"]): OpenClient {
  return {
    context: contextOf,
    isOn(key, context) {
      const { country, targetingKey } = context as Context;
      const flag = flags[key] as SnapshotFlag;
      const state = stateAfter(saltOf(flag));
      for (const { when, serve } of flag.rules) {
        const isIn = when !== undefined && "value" in when && (when.value as readonly string[]).includes(country);
        if (isIn && (hashAfter(state, targetingKey) ^ SIGN) < belowOf(serve)) return true;
      }
      return false;
    },
    variant: () => "control",
    close() {},
  };
}

/** Units by 64-bit fingerprints in open addressing, as many slots as Belay's table has for the users of a pass. */
class Met {
  readonly #table = new Int32Array(2 * 16_384);
  units = 0;

  /** The hash and both lanes in one pass, and one look into the table. */
  variant(state: number, unit: string): string {
    const { length } = unit;
    let hash = state;
    let a = length;
    let b = 0;
    let block = 0;
    let i = 0;
    for (; i + 3 < length; i += 4) {
      block =
        unit.charCodeAt(i) | (unit.charCodeAt(i + 1) << 8) | (unit.charCodeAt(i + 2) << 16) | (unit.charCodeAt(i + 3) << 24);
      a = Math.imul(a ^ block, 0x85ebca6b);
      a = (a << 15) | (a >>> 17);
      b = Math.imul((((b << 13) | (b >>> 19)) + block) | 0, 0xc2b2ae35);
      hash = mixed(hash, block);
    }
    block = 0;
    for (let j = length - 1; j >= i; j--) block = (block << 8) | unit.charCodeAt(j);
    a = Math.imul(a ^ block, 0x85ebca6b);
    a ^= a >>> 15;
    b = (((b << 13) | (b >>> 19)) + block) | 1;
    const variant = variantAt(finished(hash, block, length) ^ SIGN);
    const mask = this.#table.length - 2;
    let at = (a << 1) & mask;
    while (this.#table[at] !== a || this.#table[at + 1] !== b) {
      if (this.#table[at + 1] === 0) {
        this.#table[at] = a;
        this.#table[at + 1] = b;
        this.units++;
        break;
      }
      at = (at + 2) & mask;
    }
    return variant;
  }
}

function variantAt(position: number): string {
  return (position <= THIRD ? VARIANTS[0] : position <= TWO_THIRDS ? VARIANTS[1] : VARIANTS[2]) as string;
}

function isInTarget({ country, version, email }: Context): boolean {
  return COUNTRIES.has(country) && isFrom23(version) && email.endsWith(TARGETED.emailEnd);
}

/** At least 2.3, of a version that is known to be three numbers: the third is not even read. */
function isFrom23(version: string): boolean {
  let major = -1;
  let value = 0;
  for (let i = 0; i < version.length; i++) {
    const unit = version.charCodeAt(i);
    if (unit !== 0x2e) value = value * 10 + (unit - 0x30);
    else if (major === -1) {
      major = value;
      value = 0;
    } else break;
  }
  return major > 2 || (major === 2 && value >= 3);
}

function contextOf({ id, attributes }: User): object {
  if (attributes === undefined) return { targetingKey: id };
  return { targetingKey: id, country: attributes.country, version: attributes.version, email: attributes.email };
}

function flagOf(flag: SnapshotFlag): Flag {
  const [rule] = flag.rules;
  const serve = rule?.serve ?? { variant: "" };
  return { state: stateAfter(saltOf(flag)), isTargeted: rule?.when !== undefined, below: belowOf(serve) };
}

function belowOf(serve: SnapshotFlag["rules"][number]["serve"]): number {
  const ppm = "split" in serve ? (serve.split[0]?.draws[0]?.in[0]?.[1] ?? 0) : 0;
  return Math.ceil((ppm / 1e6) * 2 ** 32) - 2 ** 31;
}

function isRuled(flag: SnapshotFlag | undefined): boolean {
  return (flag?.rules.length ?? 0) > 1;
}

function saltOf(flag: SnapshotFlag): string {
  return Object.values(flag.spaces ?? {})[0]?.salt ?? "";
}

function stateAfter(salt: string): number {
  let hash = 0;
  for (let i = 0; i < salt.length; i += 4) {
    hash = mixed(
      hash,
      salt.charCodeAt(i) | (salt.charCodeAt(i + 1) << 8) | (salt.charCodeAt(i + 2) << 16) | (salt.charCodeAt(i + 3) << 24),
    );
  }
  return hash;
}

/** Murmur3 of a text in ASCII after a salt of eight characters. */
function hashAfter(state: number, text: string): number {
  const { length } = text;
  const blocksEnd = length & ~3;
  let hash = state;
  for (let i = 0; i < blocksEnd; i += 4) {
    hash = mixed(
      hash,
      text.charCodeAt(i) | (text.charCodeAt(i + 1) << 8) | (text.charCodeAt(i + 2) << 16) | (text.charCodeAt(i + 3) << 24),
    );
  }
  let rest = 0;
  for (let i = length - 1; i >= blocksEnd; i--) rest = (rest << 8) | text.charCodeAt(i);
  return finished(hash, rest, length);
}

function mixed(state: number, block: number): number {
  const hash = state ^ scrambled(block);
  return (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
}

function finished(state: number, rest: number, length: number): number {
  let hash = state ^ scrambled(rest) ^ (SALT_BYTES + length);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

function scrambled(block: number): number {
  const k = Math.imul(block, 0xcc9e2d51);
  return Math.imul((k << 15) | (k >>> 17), 0x1b873593);
}
