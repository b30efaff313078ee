import { tempDir } from "@belay/testkit";
import { aggregateContract } from "../aggregate/aggregate.contract.ts";
import { openEventStore } from "../index.ts";
import { newDatabase, withClickHouse } from "./clickhouse.fixture.ts";

withClickHouse("ClickHouse adds up as DuckDB does", (server) => {
  aggregateContract(
    "ClickHouse",
    async () => {
      const folder = await tempDir("clickhouse-aggregates");
      const database = newDatabase();
      const clickHouse = { urls: [`${server().url}/${database}`] };
      return {
        open: () => openEventStore({ directory: folder.path, clickHouse, segmentAgeMs: 50 }),
        clear: async () => {
          await server().query(`drop database if exists ${database}`);
          await folder.remove();
        },
      };
    },
    15,
  );
});
