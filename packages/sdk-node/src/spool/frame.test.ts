import { seeded } from "@belay/testkit";
import { describe, expect, it } from "vitest";
import { crc32 } from "./crc32.ts";
import { frame, readFrames } from "./frame.ts";

const DOCUMENTS = Array.from({ length: 20 }, (_, n) => ({ seq: n, text: `line\nend ${"é".repeat(n)}` }));
const BYTES = Buffer.concat(DOCUMENTS.map(frame));

describe("frames", () => {
  it("have the checksum that everybody computes", () => {
    expect(crc32(Buffer.from("123456789"))).toBe(0xcbf43926);
    expect(frame({}).toString()).toBe(
      "a505df1b {}\n".replace("a505df1b", crc32(Buffer.from("{}")).toString(16).padStart(8, "0")),
    );
  });

  it("come back as they were written", () => {
    expect(readFrames(BYTES)).toEqual({ documents: DOCUMENTS, damaged: 0 });
  });

  it("cut at any byte give back every whole frame before the cut, and invent none", () => {
    const ends = DOCUMENTS.map((_, at) => Buffer.concat(DOCUMENTS.slice(0, at + 1).map(frame)).length);
    for (let cut = 0; cut <= BYTES.length; cut += 1) {
      const whole = ends.filter((end) => end <= cut).length;
      const isTorn = cut > 0 && !ends.includes(cut);
      expect(readFrames(BYTES.subarray(0, cut))).toEqual({ documents: DOCUMENTS.slice(0, whole), damaged: isTorn ? 1 : 0 });
    }
  });

  it("with one byte changed, at 1,000 places, cost their own line, or two where the line end is hit", () => {
    const dice = seeded(3);
    for (let turn = 0; turn < 1_000; turn += 1) {
      const bytes = Buffer.from(BYTES);
      const at = dice.below(bytes.length);
      bytes[at] = ((bytes[at] as number) + 1 + dice.below(255)) % 256;
      const { documents } = readFrames(bytes);
      expect(documents.length).toBeGreaterThanOrEqual(18);
      expect(documents.length).toBeLessThanOrEqual(19);
      for (const document of documents) expect(DOCUMENTS).toContainEqual(document);
    }
  });
});
