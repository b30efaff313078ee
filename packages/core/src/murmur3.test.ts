import fc from "fast-check";
import murmurhash from "murmurhash";
import { describe, expect, it } from "vitest";
import { hashAfter, hashPrefix, murmur3 } from "./murmur3.ts";

// Units of every UTF-8 length, surrogates of every pairing among them.
const anyText = fc.string({
  unit: fc.oneof(fc.string({ minLength: 1, maxLength: 1 }), fc.constantFrom("ä", "€", "😀", "\ud800", "\udc00", "\u0000")),
});

describe("murmur3", () => {
  it.each([
    // Reference values of the public x86_32 test vectors (seed 0 and others).
    ["", 0, 0x00000000],
    ["", 1, 0x514e28b7],
    ["", 0xffffffff, 0x81f16f39],
    ["test", 0, 0xba6bd213],
    ["test", 0x9747b28c, 0x704b81dc],
    ["Hello, world!", 0, 0xc0363e43],
    ["Hello, world!", 0x9747b28c, 0x24884cba],
    ["The quick brown fox jumps over the lazy dog", 0, 0x2e4ff723],
    ["The quick brown fox jumps over the lazy dog", 0x9747b28c, 0x2fa826cd],
  ])("hashes %j with seed %i", (text, seed, expected) => {
    expect(murmur3(text, seed)).toBe(expected);
  });

  it("agrees with the murmurhash package on any text and seed", () => {
    fc.assert(
      fc.property(anyText, fc.nat(), (text, seed) => {
        expect(murmur3(text, seed)).toBe(murmurhash.v3(text, seed));
      }),
      { numRuns: 5_000 },
    );
  });

  it("continues from any prefix as if both had been one text", () => {
    // Two halves of a surrogate pair join to one character only in the joined text, so such a cut is left out.
    const cutsPair = (a: string, b: string): boolean => /[\ud800-\udbff]$/.test(a) && /^[\udc00-\udfff]/.test(b);
    fc.assert(
      fc.property(anyText, anyText, (salt, unit) => {
        fc.pre(!cutsPair(salt, unit));
        expect(hashAfter(hashPrefix(salt), unit) >>> 0).toBe(murmurhash.v3(salt + unit, 0));
      }),
      { numRuns: 5_000 },
    );
  });
});
