import { seeded } from "@belay/testkit";
import { describe, expect, it, onTestFinished } from "vitest";
import { MemorySightings } from "../store/sightings/sightings.fixture.ts";
import { Exchange, type ExchangeOptions } from "./exchange.ts";
import type { Sighting } from "./sighting.ts";

const seen = (id: string): Sighting => ({ kind: "event", name: "error", unit: { point: 1, id }, at: 5 });

interface Server {
  readonly exchange: Exchange;
  /** Ids heard from others, in order. */
  readonly heard: string[];
  readonly line: { isCut: boolean; losesAnswers?: boolean };
  readonly overflows: string[];
}

function serverOn(kept: MemorySightings, writer: string, more: Partial<ExchangeOptions> = {}): Server {
  const heard: string[] = [];
  const overflows: string[] = [];
  const line: Server["line"] = { isCut: false };
  const store = kept.join(line);
  const exchange = new Exchange({
    store: {
      ...store,
      put: async (pages, now) => {
        await store.put(pages, now);
        // It was kept, and the answer got lost on the way back.
        if (line.losesAnswers === true) throw new Error("no answer");
      },
    },
    writer,
    now: () => 5,
    onSightings: (_, sightings) => {
      for (const each of sightings) if (each.kind === "event") heard.push(each.unit.id);
    },
    onOverflow: (run) => overflows.push(run),
    onFault: () => undefined,
    everyMs: 10,
    paceMs: 1,
    ...more,
  });
  onTestFinished(() => exchange.close());
  return { exchange, heard, line, overflows };
}

describe("what servers tell each other", () => {
  it("comes once and in order whatever is cut or lost on the way, and all of it (20 histories of three servers)", async () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const dice = seeded(seed);
      const kept = new MemorySightings();
      const servers = ["a", "b", "c"].map((name) => ({ name, ...serverOn(kept, name) }));
      for (const { exchange } of servers) await exchange.open("r");
      const told: string[] = [];
      for (let step = 0; step < 60; step += 1) {
        const server = dice.pick(servers);
        if (dice.below(5) === 0) server.line.isCut = !server.line.isCut;
        if (dice.below(5) === 0) server.line.losesAnswers = server.line.losesAnswers !== true;
        told.push(`${server.name}${step}`);
        server.exchange.add("r", seen(`${server.name}${step}`), dice.below(2) === 0);
        if (dice.below(3) === 0) await new Promise((resolve) => setTimeout(resolve, dice.below(4)));
      }
      for (const { line } of servers) Object.assign(line, { isCut: false, losesAnswers: false });
      for (const { name, heard } of servers) {
        const others = told.filter((id) => !id.startsWith(name));
        await expect.poll(() => heard.length, { timeout: 20_000, message: `seed ${seed}` }).toBe(others.length);
        for (const other of ["a", "b", "c"]) {
          const of = (ids: readonly string[]): string[] => ids.filter((id) => id.startsWith(other));
          expect(of(heard), `seed ${seed}`).toEqual(of(others));
        }
      }
      for (const { exchange } of servers) await exchange.close();
    }
  });

  it("is brought to a server that opens late before it goes on, many pages of it, and not to another run", async () => {
    const kept = new MemorySightings();
    const early = serverOn(kept, "early");
    for (const run of ["r", "other"]) await early.exchange.open(run);
    for (let page = 0; page < 250; page += 1) {
      early.exchange.add("r", seen(`${page}`), true);
      early.exchange.add("other", seen("x"), true);
      // Each on a page of its own.
      await expect.poll(() => kept.size, { timeout: 20_000, interval: 1 }).toBe(2 * (page + 1));
    }
    const late = serverOn(kept, "late", { everyMs: 60_000 });
    await late.exchange.open("r");
    expect(late.heard).toEqual(Array.from({ length: 250 }, (_, page) => `${page}`));
    expect(early.heard).toEqual([]);
  }, 60_000);

  it("is bounded while the store is away, and the run is told from its beginning once it is back", async () => {
    const kept = new MemorySightings();
    const [one, other] = [serverOn(kept, "one", { waitingMax: 10 }), serverOn(kept, "other")];
    for (const { exchange } of [one, other]) await exchange.open("r");
    one.line.isCut = true;
    for (let at = 0; at < 1_000; at += 1) one.exchange.add("r", seen(`${at}`), false);
    expect(one.overflows).toEqual([]);
    one.line.isCut = false;
    await expect.poll(() => one.overflows, { timeout: 20_000 }).toEqual(["r"]);
    await expect.poll(() => other.heard, { timeout: 20_000 }).toEqual(Array.from({ length: 10 }, (_, at) => `${at}`));
  });

  it("is forgotten when the run is over", async () => {
    const kept = new MemorySightings();
    const { exchange } = serverOn(kept, "one");
    await exchange.open("r");
    exchange.add("r", seen("1"), true);
    await expect.poll(() => kept.size, { timeout: 20_000 }).toBe(1);
    await exchange.end("r");
    exchange.add("r", seen("2"), true);
    expect(kept.size).toBe(0);
  });
});
