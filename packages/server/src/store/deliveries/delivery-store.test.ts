import { join } from "node:path";
import { tempDir } from "@belay/testkit";
import { expect, it, onTestFinished } from "vitest";
import { withPostgres } from "../changes/postgres.fixture.ts";
import { deliveryStoreContract } from "./delivery-store.contract.ts";
import { openDeliveryStore, postgresDeliveryStore } from "./index.ts";

deliveryStoreContract("SQLite", async () => {
  const dir = await tempDir("deliveries");
  return { open: () => openDeliveryStore(join(dir.path, "deliveries.db")), remove: dir.remove };
});

withPostgres("PostgreSQL", (server) => {
  deliveryStoreContract("PostgreSQL", async () => {
    const url = await server().database();
    return { open: async () => postgresDeliveryStore({ url }), remove: async () => undefined };
  });

  it("keeps what a receiver said to the byte, and a position that never falls, whoever writes", async () => {
    const url = await server().database();
    const [one, other] = [postgresDeliveryStore({ url }), postgresDeliveryStore({ url })];
    onTestFinished(() => Promise.all([one.close(), other.close()]).then(() => undefined));
    const message = { project: "shop", webhook: "ops", id: "a", type: "x", body: '"\\u0000"', createdAtMs: 1 };
    await Promise.all([one.put([message], 9), other.put([message], 7)]);
    expect([await one.position(), await other.position()]).toEqual([9, 9]);
    const attempt = { at: "t", durationMs: 1, fault: 'nul \u0000, lone \ud800, "quote" and \\' };
    await one.record("a", attempt, { status: "pending", retryAtMs: 5 });
    await other.record("a", attempt, { status: "dead" });
    expect(await one.get(message, "a")).toMatchObject({ body: '"\\u0000"', attempts: [attempt, attempt], status: "dead" });
  });
});
