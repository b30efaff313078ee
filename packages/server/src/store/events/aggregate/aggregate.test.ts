import { tempDir } from "@belay/testkit";
import { openEventStore } from "../index.ts";
import { aggregateContract } from "./aggregate.contract.ts";

aggregateContract(
  "DuckDB",
  async () => {
    const folder = await tempDir("aggregates");
    return { open: () => openEventStore({ directory: folder.path, database: "here", segmentAgeMs: 50 }), clear: folder.remove };
  },
  40,
);
