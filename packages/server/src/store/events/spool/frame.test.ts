import fc from "fast-check";
import { expect, test } from "vitest";
import { crc32, crc32Portable } from "./crc32.ts";
import { encodeFrame, scanFrames } from "./frame.ts";

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const payloadsOf = (bytes: Uint8Array): string[] => scanFrames(bytes).payloads.map(text);

test("the checksum is CRC-32: the published check value, and both ways to compute it agree", () => {
  expect(crc32(Buffer.from("123456789"))).toBe(0xcbf43926);
  expect(crc32Portable(Buffer.from("123456789"))).toBe(0xcbf43926);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => crc32(bytes) === crc32Portable(bytes)));
});

test("a file cut at any byte gives back every whole frame before the cut, and none that was not written", () => {
  const frame = fc.record({ unit: fc.string({ unit: "binary" }), seq: fc.integer(), nested: fc.jsonValue() });
  fc.assert(
    fc.property(fc.array(frame, { minLength: 1, maxLength: 5 }), (records) => {
      const payloads = records.map((record) => JSON.stringify(record));
      const frames = payloads.map(encodeFrame);
      const file = Buffer.concat(frames);
      const ends = frames.map((_, index) => Buffer.concat(frames.slice(0, index + 1)).length);
      for (let cut = 0; cut <= file.length; cut += 1) {
        const whole = ends.filter((end) => end <= cut).length;
        const scan = scanFrames(file.subarray(0, cut));
        expect(scan.payloads.map(text)).toEqual(payloads.slice(0, whole).map((payload) => Buffer.from(payload).toString()));
        expect(scan.wholeBytes).toBe(ends[whole - 1] ?? 0);
        expect(scan.damagedLines).toBe(0);
      }
    }),
    { numRuns: 60 },
  );
});

test("one flipped byte costs the frame it is in and no other", () => {
  const payloads = ['{"n":1}', '{"n":2}', '{"n":3}'];
  const frames = payloads.map(encodeFrame);
  const file = Buffer.concat(frames);
  const first = frames[0]?.length ?? 0;
  for (let at = first; at < 2 * first - 1; at += 1) {
    const damaged = Buffer.from(file);
    damaged[at] = (damaged[at] ?? 0) ^ 0x20;
    expect(payloadsOf(damaged)).toEqual(['{"n":1}', '{"n":3}']);
    expect(scanFrames(damaged).damagedLines).toBe(1);
  }
});

test("bytes of any kind give no frame and no exception", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => scanFrames(bytes).payloads.length === 0));
});
