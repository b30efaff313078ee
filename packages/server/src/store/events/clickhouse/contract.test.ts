import { tempDir } from "@belay/testkit";
import { eventStoreContract } from "../event-store.contract.ts";
import { openEventStore } from "../index.ts";
import { newDatabase, withClickHouse } from "./clickhouse.fixture.ts";

withClickHouse("ClickHouse keeps the contract", (server) => {
  eventStoreContract("spool and ClickHouse", async () => {
    const folder = await tempDir("clickhouse-store");
    const database = newDatabase();
    const clickHouse = { urls: [`${server().url}/${database}`] };
    return {
      open: () => openEventStore({ directory: folder.path, clickHouse, segmentAgeMs: 50 }),
      clear: async () => {
        await server().query(`drop database if exists ${database}`);
        await folder.remove();
      },
    };
  });
});
