import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SightingPage, SightingStore } from "./sighting-store.ts";

/** What every store of sightings does. `begin` resolves with how to open ends of one and the same store. */
export function sightingStoreContract(name: string, begin: () => Promise<() => SightingStore>): void {
  describe(`sightings: ${name}`, () => {
    let one: SightingStore;
    let other: SightingStore;
    beforeEach(async () => {
      const open = await begin();
      [one, other] = [open(), open()];
    });
    afterEach(() => Promise.all([one.close(), other.close()]));

    const page = (run: string, writer: string, number: number, body: string = `${writer}${number}`): SightingPage => ({
      run,
      writer,
      number,
      body,
    });
    const numbers = async (run: string, writer: string, after: number, limit = 10): Promise<number[]> =>
      (await other.after({ run, writer, number: after }, limit)).map(({ number }) => number);

    it("gives back each writer's pages in order, after what one has, and no other run's", async () => {
      await one.put([page("r", "a", 2), page("r", "a", 1), page("s", "a", 1)], 5);
      await other.put([page("r", "b", 1)], 5);
      expect([...(await one.heads(["r"]))].sort((x, y) => (x.writer < y.writer ? -1 : 1))).toEqual([
        { run: "r", writer: "a", number: 2 },
        { run: "r", writer: "b", number: 1 },
      ]);
      expect(await one.heads([])).toEqual([]);
      expect([await numbers("r", "a", 0), await numbers("r", "a", 1), await numbers("r", "a", 2)]).toEqual([[1, 2], [2], []]);
      expect(await numbers("r", "a", 0, 1)).toEqual([1]);
      expect(await other.after({ run: "s", writer: "a", number: 0 }, 9)).toEqual([page("s", "a", 1)]);
    });

    it("keeps a page once, as it was written first, and a head that never falls", async () => {
      await one.put([page("r", "a", 1, "first"), page("r", "a", 2)], 5);
      await one.put([page("r", "a", 1, "again")], 6);
      expect(await other.after({ run: "r", writer: "a", number: 0 }, 9)).toEqual([page("r", "a", 1, "first"), page("r", "a", 2)]);
      expect(await one.heads(["r"])).toEqual([{ run: "r", writer: "a", number: 2 }]);
    });

    it("forgets a run, and runs that nobody writes into, save those that are named", async () => {
      await one.put([page("old", "a", 1), page("kept", "a", 1), page("ended", "a", 1)], 5);
      await one.put([page("young", "b", 1)], 10);
      await one.forget("ended");
      expect(await one.forgetIdle(10, ["kept"])).toBe(1);
      const left = (await one.heads(["old", "kept", "ended", "young"])).map(({ run }) => run);
      expect([...left].sort()).toEqual(["kept", "young"]);
      expect([await numbers("old", "a", 0), await numbers("kept", "a", 0)]).toEqual([[], [1]]);
    });

    it("tells who watches that something was written, and who stopped watching nothing", async () => {
      let told = 0;
      const stop = other.watch(() => {
        told += 1;
      });
      // Once by itself: what was written before may be new to them.
      await expect.poll(() => told, { timeout: 20_000 }).toBe(1);
      await one.put([page("r", "a", 1)], 5);
      await expect.poll(() => told, { timeout: 20_000 }).toBe(2);
      stop();
      await one.put([page("r", "a", 2)], 5);
      expect(await numbers("r", "a", 1)).toEqual([2]);
      expect(told).toBe(2);
    });
  });
}
