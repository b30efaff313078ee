import { withPostgres } from "../changes/postgres.fixture.ts";
import { postgresSightingStore } from "./index.ts";
import { sightingStoreContract } from "./sighting-store.contract.ts";
import { MemorySightings } from "./sightings.fixture.ts";

sightingStoreContract("in one process", async () => {
  const kept = new MemorySightings();
  return () => kept.join();
});

withPostgres("sightings on PostgreSQL", (server) => {
  sightingStoreContract("PostgreSQL", async () => {
    const url = await server().database();
    return () => postgresSightingStore({ url });
  });
});
