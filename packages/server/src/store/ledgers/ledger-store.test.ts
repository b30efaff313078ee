import { withPostgres } from "../changes/postgres.fixture.ts";
import { postgresLedgerStore } from "./index.ts";
import { ledgerStoreContract } from "./ledger-store.contract.ts";
import { MemoryLedgers } from "./ledgers.fixture.ts";

ledgerStoreContract("in one process", async () => {
  const ledgers = new MemoryLedgers();
  return [ledgers.join(), ledgers.join()];
});

withPostgres("ledgers on PostgreSQL", (postgres) => {
  ledgerStoreContract("PostgreSQL", async () => {
    const url = await postgres().database();
    // Many tests at once: the bound of a second is for production.
    return [postgresLedgerStore({ url, timeoutMs: 20_000 }), postgresLedgerStore({ url, timeoutMs: 20_000 })];
  });
});
