export type { LedgerStore, ToldLedger } from "./ledger-store.ts";
export { postgresLedgerStore } from "./postgres-ledger-store.ts";
