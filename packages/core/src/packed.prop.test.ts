import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pack, unpack } from "./packed.ts";

const bytesOf = (packed: Uint16Array): Uint8Array => new Uint8Array(packed.buffer);
const roundTrip = (text: string): string | undefined => {
  const unpacked = unpack(bytesOf(pack(text)), 1_000_000);
  return unpacked && new TextDecoder("utf-8", { ignoreBOM: true }).decode(unpacked);
};
/** Words that come again, as in JSON; surrogates in pairs, since a text of UTF-8 has no others. */
const texts = fc.oneof(
  fc.string({ minLength: 1, unit: "grapheme" }),
  fc
    .array(fc.constantFrom("a", "aa", "ab", '{"flag":"', "é", "漢字", "🎲"), { minLength: 1, maxLength: 300 })
    .map((all) => all.join("")),
);

describe("packing", () => {
  it("loses nothing", () => {
    fc.assert(
      fc.property(texts, (text) => {
        expect(roundTrip(text)).toBe(text);
      }),
      { numRuns: 2_000 },
    );
  });

  it("loses nothing where the phrases are more than codes can name", () => {
    const state = { value: 1 };
    const noise = Array.from({ length: 200_000 }, () => {
      state.value = (Math.imul(state.value, 1_664_525) + 1_013_904_223) >>> 0;
      return String.fromCharCode(32 + ((state.value >>> 24) % 90));
    }).join("");
    expect(pack(noise).length).toBeGreaterThan(65_536);
    expect(roundTrip(noise)).toBe(noise);
  });

  it("is exact: bytes, then phrases, the second of which is not whole when it is named", () => {
    expect([...pack("aaaa")]).toEqual([97, 256, 97]);
    expect([...pack("ababab")]).toEqual([97, 98, 256, 256]);
  });

  it("brings 300 exposures of 86 KB below 32 KB", () => {
    const exposures = Array.from({ length: 300 }, (_, at) => ({
      ...{ seq: at, timeMs: 1_795_000_000_000 + 7 * at, epoch: 1, experiment: "pricing-test", flag: "pricing", revision: 42 },
      ...{ variant: at % 2 === 0 ? "compact" : "roomy", rule: "r1", unit: crypto.randomUUID() },
      attributes: { plan: "pro", country: ["DE", "FR", "US"][at % 3], version: "3.14.2", device: "mobile", page: `/p/${at}` },
    }));
    const text = JSON.stringify(exposures);
    expect(text.length).toBeGreaterThan(75_000);
    expect(pack(text).byteLength).toBeLessThan(32_000);
  });
});

describe("unpacking", () => {
  it("refuses what is cut in the middle of a code, and codes that name nothing yet", () => {
    expect(unpack(bytesOf(pack("abcabc")).slice(0, -1), 100)).toBeUndefined();
    expect(unpack(new Uint8Array(new Uint16Array([256]).buffer), 100)).toBeUndefined();
    expect(unpack(new Uint8Array(new Uint16Array([97, 257]).buffer), 100)).toBeUndefined();
  });

  it("never throws and never writes more than it may, whatever it is given", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(500), (bytes, bytesMax) => {
        expect(unpack(bytes, bytesMax)?.length ?? 0).toBeLessThanOrEqual(bytesMax);
      }),
      { numRuns: 2_000 },
    );
    // Each code one byte longer than the one before: 64 KiB that would come to half a gigabyte.
    const bomb = new Uint16Array(32_768).map((_, at) => (at === 0 ? 97 : 255 + at));
    expect(unpack(bytesOf(bomb), 20_000_000)).toBeUndefined();
    expect(unpack(bytesOf(bomb.slice(0, 100)), 20_000_000)?.length).toBe(5_050);
  });
});
