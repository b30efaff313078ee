import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DeliveryStore, Message } from "./delivery-store.ts";

/** An outbox that can be closed and opened again. */
export interface DeliveryStoreUnderTest {
  readonly open: () => Promise<DeliveryStore>;
  readonly remove: () => Promise<void>;
}

const PLACE = { project: "shop", webhook: "ops" };

const message = (id: string, more: Partial<Message> = {}): Message => ({
  ...PLACE,
  id,
  type: "flag.edit",
  body: `{"id":"${id}"}`,
  createdAtMs: 1_000,
  ...more,
});

/** What every outbox does, whatever it is made of. */
export function deliveryStoreContract(name: string, make: () => Promise<DeliveryStoreUnderTest>): void {
  describe(`outbox on ${name}`, () => {
    let made: DeliveryStoreUnderTest;
    let store: DeliveryStore;
    beforeEach(async () => {
      made = await make();
      store = await made.open();
    });
    afterEach(async () => {
      await store.close();
      await made.remove();
    });

    const dueIds = async (now: number, limit = 10): Promise<string[]> => (await store.due(now, limit)).map(({ id }) => id);

    it("keeps messages and position over a restart, and puts a known id once", async () => {
      expect(await store.position()).toBeUndefined();
      await store.put([message("a"), message("b")], 7);
      await store.put([message("b", { body: "other" }), message("c")], 8);
      await store.close();
      store = await made.open();
      expect(await store.position()).toBe(8);
      expect(await dueIds(1_000)).toEqual(["a", "b", "c"]);
      expect((await store.get(PLACE, "b"))?.body).toBe('{"id":"b"}');
    });

    it("gives what is due, of each webhook at most the limit, the oldest first", async () => {
      await store.put([
        message("a"),
        message("b"),
        message("c"),
        message("d", { webhook: "chat" }),
        message("later", { createdAtMs: 5_000 }),
      ]);
      expect(await dueIds(999)).toEqual([]);
      expect(await dueIds(1_000, 2)).toEqual(["a", "b", "d"]);
      expect(await store.nextDue()).toBe(1_000);
      expect(await store.pending(PLACE)).toBe(4);
    });

    it("records tries: delivered and dead ones are due no more, pending ones at their time", async () => {
      await store.put([message("a"), message("b"), message("c")]);
      const attempt = { at: "2026-11-22T12:00:00.000Z", durationMs: 12, status: 503, fault: "it answered 503" };
      await store.record("a", { ...attempt, status: 200 }, { status: "delivered" });
      await store.record("b", attempt, { status: "dead" });
      await store.record("c", attempt, { status: "pending", retryAtMs: 6_000 });
      await store.record("c", { ...attempt, status: 500 }, { status: "pending", retryAtMs: 9_000 });
      expect(await dueIds(8_999)).toEqual([]);
      expect(await store.totals()).toEqual({ pending: 1, dead: 1 });
      expect(await store.due(9_000, 10)).toEqual([
        {
          ...message("c"),
          order: expect.any(Number),
          status: "pending",
          attempts: [attempt, { ...attempt, status: 500 }],
          nextAttemptAtMs: 9_000,
        },
      ]);
      expect((await store.list(PLACE, { limit: 10 })).map(({ id, status }) => [id, status])).toEqual([
        ["c", "pending"],
        ["b", "dead"],
        ["a", "delivered"],
      ]);
    });

    it("lists page by page and by status, each webhook its own", async () => {
      await store.put([message("a"), message("b"), message("c"), message("x", { project: "elsewhere" })]);
      await store.record("b", { at: "t", durationMs: 1 }, { status: "dead" });
      const [newest, ...rest] = await store.list(PLACE, { limit: 2 });
      expect([newest?.id, ...rest.map(({ id }) => id)]).toEqual(["c", "b"]);
      const before = rest.at(-1)?.order ?? 0;
      expect((await store.list(PLACE, { limit: 2, before })).map(({ id }) => id)).toEqual(["a"]);
      expect((await store.list(PLACE, { limit: 9, status: "dead" })).map(({ id }) => id)).toEqual(["b"]);
      expect(await store.get({ project: "elsewhere", webhook: "ops" }, "a")).toBeUndefined();
    });

    it("revives what is over, and forgets it later", async () => {
      await store.put([message("a"), message("b")]);
      await store.record("a", { at: "t", durationMs: 1 }, { status: "dead" });
      expect(await store.revive({ ...PLACE, webhook: "chat" }, "a", 3_000)).toBe(false);
      expect(await store.revive(PLACE, "a", 3_000)).toBe(true);
      expect(await dueIds(3_000)).toEqual(["a", "b"]);
      await store.record("a", { at: "t", durationMs: 1 }, { status: "delivered" });
      expect(await store.forget(1_000)).toBe(0);
      expect(await store.forget(1_001)).toBe(1);
      expect((await store.list(PLACE, { limit: 9 })).map(({ id }) => id)).toEqual(["b"]);
    });
  });
}
