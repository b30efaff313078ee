export { postgresSightingStore } from "./postgres-sighting-store.ts";
export type * from "./sighting-store.ts";
