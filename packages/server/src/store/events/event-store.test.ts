import { tempDir } from "@belay/testkit";
import { eventStoreContract } from "./event-store.contract.ts";
import { openEventStore } from "./index.ts";

eventStoreContract("spool and DuckDB", async () => {
  const folder = await tempDir("events");
  return { open: () => openEventStore({ directory: folder.path, database: "here", segmentAgeMs: 50 }), clear: folder.remove };
});
