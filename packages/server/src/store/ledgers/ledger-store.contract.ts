import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { LedgerStore, ToldLedger } from "./ledger-store.ts";

/** What every store of ledgers does, whatever it is made of. `open` resolves with two ends of one that is empty. */
export function ledgerStoreContract(name: string, open: () => Promise<readonly [LedgerStore, LedgerStore]>): void {
  describe(`ledgers: ${name}`, () => {
    let ends: readonly LedgerStore[];
    beforeEach(async () => {
      ends = await open();
    });
    afterEach(() => Promise.all(ends.map((end) => end.close())));

    const end = (at: number): LedgerStore => ends[at] as LedgerStore;
    const told = (server: string, more: Partial<ToldLedger> = {}): ToldLedger => ({
      ...{ server, project: "shop", environment: "production", at: 1_000, lines: [], metricEvents: 0 },
      ...more,
    });

    it("gives everybody the last that each server told of an environment, by name, as it was told", async () => {
      const counts = { produced: 5, dropped: 1, stored: 3, duplicates: 2, late: 1, seenAtMs: 900 };
      const line = {
        environment: "production",
        instance: 'i "1"',
        experiment: undefined,
        release: "checkout",
        variant: "on",
        ...counts,
      };
      await end(0).put(told("b"));
      await end(1).put(told("a", { metricEvents: 2 ** 40 }));
      await end(0).put(told("b", { at: 2_000, lines: [line] }));
      await end(0).put(told("b", { environment: "staging" }));
      await end(0).put(told("b", { project: "blog" }));
      for (const each of ends) {
        expect(await each.of("shop")).toEqual([
          told("a", { metricEvents: 2 ** 40 }),
          told("b", { at: 2_000, lines: [line] }),
          told("b", { environment: "staging" }),
        ]);
      }
      expect(await end(0).of("nowhere")).toEqual([]);
    });

    it("notes who has a server's events now, until it tells anything itself", async () => {
      await end(0).put(told("a", { metricEvents: 3 }));
      await end(0).put(told("a", { environment: "staging" }));
      const [first] = await end(1).of("shop");
      if (first === undefined) throw new Error("nothing was told");
      await end(1).pass(first, "b");
      expect(await end(0).of("shop")).toEqual([told("a", { metricEvents: 3, heir: "b" }), told("a", { environment: "staging" })]);
      await end(0).put(told("a", { at: 1_001, metricEvents: 4 }));
      await end(1).pass(first, "b");
      await end(1).pass({ ...first, server: "nobody" }, "b");
      expect(await end(0).of("shop")).toEqual([told("a", { at: 1_001, metricEvents: 4 }), told("a", { environment: "staging" })]);
    });

    it("forgets what was told before a moment", async () => {
      await end(0).put(told("a", { at: 999 }));
      await end(0).put(told("b"));
      await end(1).forget(1_000);
      expect((await end(0).of("shop")).map(({ server }) => server)).toEqual(["b"]);
    });
  });
}
