import { EventEmitter } from "node:events";
import type { ServerResponse } from "node:http";
import type { Exposure, Json } from "@belay/protocol";
import { describe, expect, it, onTestFinished } from "vitest";
import { LocalBus } from "../store/bus/index.ts";
import { SharedTails } from "./shared-tails.ts";
import { EventTails, type ShownBatch } from "./tail.ts";

const batch = (flags: readonly string[], more: Partial<ShownBatch> = {}): ShownBatch => ({
  project: "shop",
  environment: "production",
  instance: "i",
  sdk: "node/1",
  receivedAtMs: 2_000,
  exposures: flags.map((flag, at) => ({ flag, seq: at + 1, timeMs: 1_000, unit: `u${at}` }) as unknown as Exposure),
  metrics: [],
  ...more,
});

/** A server with somebody who reads what its tails write. */
function server(bus: LocalBus, clock: { now: number }) {
  const tails = new EventTails();
  const shared = new SharedTails({ bus: bus.join(), tails, now: () => clock.now, everyMs: 10 });
  onTestFinished(() => {
    shared.close();
    tails.close();
  });
  const open = (flag: string | undefined, perSecond: number): { text: string } => {
    const read = { text: "" };
    const response = Object.assign(new EventEmitter(), {
      write: (text: string) => {
        read.text += text;
      },
      end: () => response.emit("close"),
      socket: { writableLength: 0 },
    });
    const query = { project: "shop", kind: "exposures" as const, ...(flag === undefined ? {} : { flag }) };
    tails.open(response as unknown as ServerResponse, { query: query as never, perSecond });
    return read;
  };
  return { shared, tails, open };
}

const unitsIn = (text: string): string[] => [...text.matchAll(/"unit":"(\w+)"/g)].map(([, unit]) => unit as string);

describe("tails of several servers", () => {
  it("show what another server took in, of the project and the flag that were asked for", async () => {
    const bus = new LocalBus();
    const clock = { now: 0 };
    const [here, there] = [server(bus, clock), server(bus, clock)];
    const read = here.open("a", 20);
    await expect
      .poll(() => {
        there.shared.take(batch(["a", "b", "a"]));
        return unitsIn(read.text).slice(0, 2);
      })
      .toEqual(["u0", "u2"]);
    there.shared.take(batch(["a"], { project: "other" }));
    there.shared.take(batch(["a"], { instance: "last" }));
    await expect.poll(() => read.text).toContain('"instance":"last"');
    expect(read.text).not.toContain('"u1"');
  });

  it("show no more in a second than was asked for, whoever took it in, and count the rest", async () => {
    const bus = new LocalBus();
    const clock = { now: 0 };
    const here = server(bus, clock);
    const read = here.open(undefined, 3);
    const [tail] = here.tails.list();
    const stranger = bus.join();
    const frames = Array.from({ length: 5 }, (_, at) => `event: exposure\ndata: {"unit":"r${at}"}\n\n`);
    stranger.publish("taken", { id: tail?.id ?? "", frames, skipped: 4 });
    await expect.poll(() => unitsIn(read.text)).toEqual(["r0", "r1", "r2"]);
    here.tails.publish(batch(["a"]));
    await expect.poll(() => read.text, { timeout: 5_000 }).toContain('event: skipped\ndata: {"count":7}');
  });

  it("serve nobody who has not spoken for a while, and nothing that is no watch", async () => {
    const bus = new LocalBus();
    const clock = { now: 0 };
    const { shared } = server(bus, clock);
    const stranger = bus.join();
    const taken: Json[] = [];
    stranger.subscribe("taken", (message) => taken.push(message));
    const good = { id: "w", query: { project: "shop", kind: "exposures" }, perSecond: 5 };
    const wrong = [null, 1, {}, { ...good, query: null }, { ...good, id: 1 }, { ...good, perSecond: "5" }];
    stranger.publish("watched", [...wrong, { ...good, id: "x", query: { ...good.query, environments: 1 } }] as never);
    stranger.publish("watched", [good] as never);
    await expect
      .poll(() => {
        shared.take(batch(["a"]));
        return taken.length;
      })
      .toBeGreaterThan(0);
    expect(new Set(taken.map((message) => (message as { id: string }).id))).toEqual(new Set(["w"]));
    clock.now = 10_000;
    await expect
      .poll(async () => {
        const before = taken.length;
        shared.take(batch(["a"]));
        await new Promise((resolve) => setTimeout(resolve, 30));
        return taken.length - before;
      })
      .toBe(0);
  });
});
