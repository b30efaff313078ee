import { describe, expect, it, onTestFinished } from "vitest";
import { LocalBus } from "../store/bus/index.ts";
import { Follower } from "./follower.ts";

/** A node that follows a log up to its head, and says how often it looked and what was told on the bus. */
function node(bus: LocalBus, log: { head: number }) {
  let listener: () => void = () => undefined;
  const end = bus.join();
  const told: unknown[] = [];
  bus.join().subscribe("position", (position) => told.push(position));
  const state = { position: 0, looks: 0, told };
  const follower = new Follower({
    control: {
      get position() {
        return state.position;
      },
      follow: async () => {
        state.looks += 1;
        state.position = log.head;
        listener();
      },
      onCommit: (call) => {
        listener = () => call(undefined as never, undefined as never);
      },
    },
    log: { watch: () => () => undefined },
    bus: end,
    onFault: () => undefined,
    everyMs: 3_600_000,
  });
  onTestFinished(() => follower.close());
  return {
    state,
    reach: (position: number) => {
      log.head = position;
      state.position = position;
      listener();
    },
  };
}

/** Until everything that was said has arrived and what followed from it too. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
}

describe("nodes on a bus", () => {
  it("are woken by another's commit once, and do not tell it back", async () => {
    const bus = new LocalBus();
    const log = { head: 0 };
    const [one, other] = [node(bus, log), node(bus, log)];
    for (let position = 1; position <= 5; position++) one.reach(position);
    await settled();
    expect(one.state).toMatchObject({ looks: 0, told: [5] });
    expect(other.state.looks).toBe(1);
    expect([one.state.looks, other.state.position, other.state.told]).toEqual([0, 5, [5]]);
  });

  it("look at nothing they hold already, and believe nobody who is no position", async () => {
    const bus = new LocalBus();
    const one = node(bus, { head: 0 });
    one.reach(3);
    await settled();
    const stranger = bus.join();
    for (const message of [3, 2, -1, 1.5, "9", null, { position: 9 }]) stranger.publish("position", message);
    await settled();
    expect(one.state.looks).toBe(0);
    stranger.publish("position", 4);
    await settled();
    expect(one.state.looks).toBe(1);
  });

  it("tell their own commits also after somebody told a position that never was", async () => {
    const bus = new LocalBus();
    const one = node(bus, { head: 0 });
    bus.join().publish("position", Number.MAX_SAFE_INTEGER);
    await settled();
    one.reach(1);
    await settled();
    expect(one.state.told).toContain(1);
  });
});
