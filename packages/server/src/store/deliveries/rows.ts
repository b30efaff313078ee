import type { DeliveryAttempt, DeliveryStatus } from "@belay/protocol";
import type { SqlRow } from "../changes/rows.ts";
import type { Delivery } from "./delivery-store.ts";

/** A row of the outbox, which is the same in every SQL database. */
export function toDelivery(row: SqlRow): Delivery {
  return {
    order: Number(row["order"]),
    id: String(row["id"]),
    project: String(row["project"]),
    webhook: String(row["webhook"]),
    type: String(row["type"]),
    body: String(row["body"]),
    createdAtMs: Number(row["created_at"]),
    status: String(row["status"]) as DeliveryStatus,
    attempts: JSON.parse(String(row["attempts"])) as DeliveryAttempt[],
    ...(row["next_at"] === null ? {} : { nextAttemptAtMs: Number(row["next_at"]) }),
  };
}
