import { describe, expect, it } from "vitest";
import { LocalBus } from "../store/bus/index.ts";
import { InstanceRegistry } from "./registry.ts";

const AT = { project: "shop", environment: "production" };
const KEY = { ...AT, id: "k", kind: "server" as const };

describe("receipts of several servers", () => {
  it("are known to all of them, each by its own clock, and told to their listeners once", async () => {
    const bus = new LocalBus();
    const one = new InstanceRegistry(() => 5_000, bus.join());
    const other = new InstanceRegistry(() => 9_000, bus.join());
    const told: number[] = [];
    other.onReceipt(({ revision }) => told.push(revision));
    one.note(KEY, { instance: "a", sdk: "node/1", revision: 7 });
    await expect.poll(() => told).toEqual([7]);
    expect(one.of("shop")).toEqual([{ ...AT, instance: "a", sdk: "node/1", revision: 7, seenAt: 5_000 }]);
    expect(other.of("shop")).toEqual([{ ...AT, instance: "a", sdk: "node/1", revision: 7, seenAt: 9_000 }]);
  });

  it("are believed only where they are receipts", async () => {
    const bus = new LocalBus();
    const registry = new InstanceRegistry(() => 0, bus.join());
    const stranger = bus.join();
    const good = { ...AT, instance: "z", sdk: "node/1", revision: 1 };
    for (const message of [null, 1, "x", [], {}, { ...good, revision: "1" }, { ...good, instance: "i".repeat(300) }, good]) {
      stranger.publish("receipt", message);
    }
    await expect.poll(() => registry.of("shop").map(({ instance }) => instance)).toEqual(["z"]);
  });
});
