import type { Json } from "@belay/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Bus } from "./bus.ts";

/** What every bus does, whatever it is made of. `join` resolves with a member that hears the others. */
export function busContract(name: string, join: () => Promise<Bus>): void {
  describe(`bus: ${name}`, () => {
    let members: Bus[];
    beforeEach(async () => {
      members = await Promise.all([join(), join(), join()]);
    });
    afterEach(() => Promise.all(members.map((member) => member.close())));

    const member = (at: number): Bus => members[at] as Bus;
    const heardBy = (at: number, topic: "position" | "receipt"): Json[] => {
      const heard: Json[] = [];
      member(at).subscribe(topic, (message) => heard.push(message));
      return heard;
    };

    it("brings a message to every other member once and in order, and to no other topic", async () => {
      const own = heardBy(0, "position");
      const others = [heardBy(1, "position"), heardBy(2, "position")];
      const receipts = heardBy(1, "receipt");
      for (let at = 0; at < 100; at++) member(0).publish("position", at);
      member(2).publish("receipt", { instance: "a" });
      await expect.poll(() => others.map(({ length }) => length), { timeout: 10_000 }).toEqual([100, 100]);
      await expect.poll(() => receipts, { timeout: 10_000 }).toEqual([{ instance: "a" }]);
      for (const heard of others) expect(heard).toEqual(Array.from({ length: 100 }, (_, at) => at));
      expect(own).toEqual([]);
    });

    it("tells who stopped listening nothing more, and who left nothing at all", async () => {
      const heard: Json[] = [];
      const stop = member(1).subscribe("position", (message) => heard.push(message));
      const last = heardBy(2, "position");
      member(0).publish("position", 1);
      await expect.poll(() => heard, { timeout: 10_000 }).toEqual([1]);
      stop();
      await member(1).close();
      member(0).publish("position", 2);
      await expect.poll(() => last, { timeout: 10_000 }).toEqual([1, 2]);
      expect(heard).toEqual([1]);
    });
  });
}
