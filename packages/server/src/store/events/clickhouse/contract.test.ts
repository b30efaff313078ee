import { eventStoreContract } from "../event-store.contract.ts";
import { newStore, withClickHouse } from "./clickhouse.fixture.ts";

withClickHouse("ClickHouse keeps the contract", (server) => {
  eventStoreContract("spool and ClickHouse", () => newStore(server()));
});
