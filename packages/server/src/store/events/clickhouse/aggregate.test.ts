import { aggregateContract } from "../aggregate/aggregate.contract.ts";
import { newStore, withClickHouse } from "./clickhouse.fixture.ts";

withClickHouse("ClickHouse adds up as DuckDB does", (server) => {
  aggregateContract("ClickHouse", () => newStore(server()), 15);
});
