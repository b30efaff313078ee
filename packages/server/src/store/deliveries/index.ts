import { openDriver } from "../sqlite/driver.ts";
import type { DeliveryStore } from "./delivery-store.ts";
import { sqliteDeliveryStore } from "./sqlite-delivery-store.ts";

export type * from "./delivery-store.ts";
export { postgresDeliveryStore } from "./postgres-delivery-store.ts";

/** Opens the embedded outbox in a file, made when absent and brought to the newest schema. */
export async function openDeliveryStore(file: string): Promise<DeliveryStore> {
  return sqliteDeliveryStore(await openDriver(file));
}
