import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Seeds } from "../fingerprint.ts";
import { Seen } from "./seen.ts";

const unit = fc.oneof(fc.string({ unit: "binary", maxLength: 20 }), fc.stringMatching(/^user-[0-9]{1,7}$/));
const seedsOf = (subjectSeed: number, armSeed: number): Seeds => ({ subjectSeed, armSeed });
const SEEDS = seedsOf(42, 4_711);
const event = fc.record({
  unit,
  seeds: fc.constantFrom(seedsOf(0, 0), seedsOf(0, 2), seedsOf(7, 0), seedsOf(0x7fff_ffff, -2), seedsOf(-1, 0x5ead_beef)),
});

describe("who has been seen", () => {
  it("agrees with a Set while nobody is forgotten", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 400 }), (events) => {
        const seen = new Seen(1_024);
        const oracle = new Set<string>();
        for (const { unit, seeds } of events) {
          const key = `${seeds.subjectSeed}/${seeds.armSeed}/${unit}`;
          expect(seen.has(unit, seeds)).toBe(oracle.has(key));
          seen.add(unit, seeds);
          oracle.add(key);
        }
      }),
    );
  });

  it.each([
    ["counted names", (n: number) => `user-${n}`],
    ["counted e-mails", (n: number) => `${n}@example.com`],
    ["hexadecimal ids", (n: number) => n.toString(16).padStart(32, "0")],
    ["scattered bits", (n: number) => String.fromCharCode(n & 0xff, (n >> 8) & 0xff, (n >> 16) & 0xff, 0x4e00 + (n & 0xfff))],
  ])("takes nobody for another among a million %s", (_name, unitOf) => {
    const seen = new Seen(4_194_304);
    let mistaken = 0;
    for (let n = 0; n < 1_000_000; n += 1) {
      if (seen.has(unitOf(n), SEEDS)) mistaken += 1;
      seen.add(unitOf(n), SEEDS);
    }
    expect(mistaken).toBe(0);
  });

  it("takes nobody for another where only every second character differs", () => {
    const seen = new Seen(1_048_576);
    let mistaken = 0;
    for (let n = 0; n < 200_000; n += 1) {
      const id = [...n.toString().padStart(6, "0")].map((digit) => `x${digit}`).join("");
      if (seen.has(id, SEEDS)) mistaken += 1;
      seen.add(id, SEEDS);
    }
    expect(mistaken).toBe(0);
  });

  it("fault 38: keeps its memory at 8 MiB over two million units, and still knows the last 262,144", () => {
    const seen = new Seen();
    for (let n = 0; n < 2_000_000; n += 1) seen.add(`user-${n}`, SEEDS);
    expect(seen.bytes).toBe(8 * 1_024 * 1_024);
    let known = 0;
    for (let n = 2_000_000 - 262_144; n < 2_000_000; n += 1) if (seen.has(`user-${n}`, SEEDS)) known += 1;
    expect(known).toBe(262_144);
  });

  it("starts small: 16 KiB for an application with few units", () => {
    const seen = new Seen();
    for (let n = 0; n < 500; n += 1) seen.add(`user-${n}`, SEEDS);
    expect(seen.bytes).toBe(16 * 1_024);
  });

  it("keeps those who come again while others are forgotten", () => {
    const seen = new Seen(1_024);
    seen.add("regular", SEEDS);
    for (let n = 0; n < 10_000; n += 1) {
      seen.add(`guest-${n}`, SEEDS);
      if (n % 100 === 0) expect(seen.has("regular", SEEDS)).toBe(true);
    }
    expect(seen.has("guest-0", SEEDS)).toBe(false);
    seen.clear();
    expect(seen.has("regular", SEEDS)).toBe(false);
  });
});
