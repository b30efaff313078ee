import { describe, expect, it } from "vitest";
import { FrameQueue, readFrame } from "./frame.ts";

describe("frames of the bus", () => {
  it("carry what waited, in order, and are empty again", () => {
    const queue = new FrameQueue(1_000);
    queue.add("position", 7);
    queue.add("receipt", { instance: "a" });
    expect(readFrame(queue.take("me"))).toEqual({
      from: "me",
      said: [
        ["position", 7],
        ["receipt", { instance: "a" }],
      ],
    });
    expect([queue.isEmpty, queue.bytes]).toEqual([true, 0]);
  });

  it("hold no more than the bound; what does not fit is counted", () => {
    const queue = new FrameQueue(100);
    for (let at = 0; at < 1_000; at++) queue.add("position", at);
    expect(queue.bytes).toBeLessThanOrEqual(100);
    expect(readFrame(queue.take("me"))?.said).toHaveLength(1_000 - queue.dropped);
    expect(queue.dropped).toBe(993);
  });

  it.each(["", "null", "7", "{}", '{"from":1,"said":[]}', '{"from":"a","said":[["b"]]}', '{"from":"a","said":{}}', '{"from":'])(
    "are not %s",
    (text) => {
      expect(readFrame(text)).toBeUndefined();
    },
  );
});
