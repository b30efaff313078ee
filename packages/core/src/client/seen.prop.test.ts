import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Seen } from "./seen.ts";

const unit = fc.oneof(fc.string({ unit: "binary", maxLength: 20 }), fc.stringMatching(/^user-[0-9]{1,7}$/));
const event = fc.record({ unit, seed: fc.constantFrom(0, 1, 0x7fff_ffff, 0xdead_beef) });

describe("who has been seen", () => {
  it("agrees with a Set while nobody is forgotten", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 400 }), (events) => {
        const seen = new Seen(1_024);
        const oracle = new Set<string>();
        for (const { unit, seed } of events) {
          const key = `${seed}/${unit}`;
          expect(seen.has(unit, seed)).toBe(oracle.has(key));
          seen.add(unit, seed);
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
      if (seen.has(unitOf(n), 42)) mistaken += 1;
      seen.add(unitOf(n), 42);
    }
    expect(mistaken).toBe(0);
  });

  it("takes nobody for another where only every second character differs", () => {
    const seen = new Seen(1_048_576);
    let mistaken = 0;
    for (let n = 0; n < 200_000; n += 1) {
      const id = [...n.toString().padStart(6, "0")].map((digit) => `x${digit}`).join("");
      if (seen.has(id, 1)) mistaken += 1;
      seen.add(id, 1);
    }
    expect(mistaken).toBe(0);
  });

  it("fault 38: keeps its memory at 8 MiB over two million units, and still knows the last 262,144", () => {
    const seen = new Seen();
    for (let n = 0; n < 2_000_000; n += 1) seen.add(`user-${n}`, 7);
    expect(seen.bytes).toBe(8 * 1_024 * 1_024);
    let known = 0;
    for (let n = 2_000_000 - 262_144; n < 2_000_000; n += 1) if (seen.has(`user-${n}`, 7)) known += 1;
    expect(known).toBe(262_144);
  });

  it("starts small: 16 KiB for an application with few units", () => {
    const seen = new Seen();
    for (let n = 0; n < 500; n += 1) seen.add(`user-${n}`, 7);
    expect(seen.bytes).toBe(16 * 1_024);
  });

  it("keeps those who come again while others are forgotten", () => {
    const seen = new Seen(1_024);
    seen.add("regular", 1);
    for (let n = 0; n < 10_000; n += 1) {
      seen.add(`guest-${n}`, 1);
      if (n % 100 === 0) expect(seen.has("regular", 1)).toBe(true);
    }
    expect(seen.has("guest-0", 1)).toBe(false);
    seen.clear();
    expect(seen.has("regular", 1)).toBe(false);
  });
});
