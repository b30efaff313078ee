import { createHash } from "node:crypto";
import fc from "fast-check";
import murmurhash from "murmurhash";
import { describe, expect, it } from "vitest";
import { legacyHashes } from "./legacy-hashes.ts";
import { compile } from "./ruleset.ts";
import { snapshotOf } from "./vectors.fixture.ts";

const anyText = fc.oneof(
  fc.string({ maxLength: 200 }),
  fc.string({ unit: "binary", maxLength: 200 }),
  fc.constantFrom("", "a".repeat(55), "a".repeat(56), "a".repeat(64), "ü".repeat(60), "😀\ud800"),
);
const scale = fc.constantFrom(1, 2, 100, 1_000, 10_000, 100_000, 1_000_000);
const digits = (algorithm: string, text: string, count: number): bigint =>
  BigInt(`0x${createHash(algorithm).update(text).digest("hex").slice(0, count)}`);
/** FNV-1a by the book, over UTF-16 units, in exact integers. */
const fnv1a = (text: string): bigint =>
  Array.from({ length: text.length }, (_, i) => BigInt(text.charCodeAt(i))).reduce(
    (hash, unit) => ((hash ^ unit) * 0x01000193n) & 0xffffffffn,
    0x811c9dc5n,
  );

const ORACLES: { readonly [name: string]: (text: string, points: number) => number } = {
  murmur3: (text, points) => murmurhash.v3(text) % points,
  fnv1a: (text, points) => Number(fnv1a(text) % BigInt(points)),
  "fnv1a-twice": (text, points) => Number(fnv1a(fnv1a(text).toString()) % BigInt(points)),
  "sha1-7": (text, points) => Number(digits("sha1", text, 7) % BigInt(points)),
  // As 64-bit floats: that is how the product it comes from divides.
  "sha1-15": (text, points) => Math.min(points - 1, Math.floor((Number(digits("sha1", text, 15)) / 2 ** 60) * points)),
  "md5-8": (text, points) => Number(digits("md5", text, 8) % BigInt(points)),
};

describe("legacyHashes", () => {
  it("are the ones proven here", () => {
    expect([...legacyHashes.keys()].sort()).toEqual(Object.keys(ORACLES).sort());
  });

  it.each(Object.entries(ORACLES))("%s agrees with its oracle on any text and scale", (name, oracle) => {
    fc.assert(
      fc.property(anyText, scale, (text, points) => {
        expect(legacyHashes.get(name)?.(text, points)).toBe(oracle(text, points));
      }),
      { numRuns: 300 },
    );
  });

  it("decide a flag on the imported scale: boundaries in percent fall between its points", () => {
    const space = { salt: "old", legacy: { fn: "md5-8", points: 100, text: "{salt}.{unit}:{salt}" } };
    const flag = {
      type: "boolean" as const,
      variants: { on: true, off: false },
      enabled: true,
      spaces: { share: space },
      rules: [{ id: "r", serve: { split: [{ variant: "on", draws: [{ space: "share", in: [[0, 250_000] as const] }] }] } }],
      fallthrough: { variant: "off" },
    };
    const ruleset = compile(snapshotOf({ flags: { flag } }), { legacyHashes });
    const wrong = Array.from({ length: 1_000 }, (_, i) => `user-${i}`).filter((unit) => {
      const isInside = Number(digits("md5", `old.${unit}:old`, 8) % 100n) < 25;
      return ruleset.decide("flag", { targetingKey: unit }).value !== isInside;
    });
    expect(wrong).toEqual([]);
    // "$&" would be the whole match to `String.replace`.
    expect(ruleset.decide("flag", { targetingKey: "$&" }).value).toBe(Number(digits("md5", "old.$&:old", 8) % 100n) < 25);
  });

  it("fail when loaded, not when evaluated, where they are not registered", () => {
    const space = { salt: "old", legacy: { fn: "crc", points: 100, text: "{salt}{unit}" } };
    const flag = {
      ...{ type: "boolean" as const, variants: { on: true }, enabled: true, spaces: { share: space } },
      rules: [{ id: "r", serve: { split: [{ variant: "on", draws: [{ space: "share", in: [] }] }] } }],
    };
    expect(compile(snapshotOf({ flags: { flag } }), { legacyHashes }).defect("flag")).toEqual({
      code: "invalid_field",
      field: "rules[0].serve.split[0].draws[0].space",
      received: "crc",
      allowed: [...legacyHashes.keys()],
      reason: "its hash function is not registered here",
    });
  });
});
