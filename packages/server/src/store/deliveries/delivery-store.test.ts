import { join } from "node:path";
import { tempDir } from "@belay/testkit";
import { deliveryStoreContract } from "./delivery-store.contract.ts";
import { openDeliveryStore } from "./index.ts";

deliveryStoreContract("SQLite", async () => {
  const dir = await tempDir("deliveries");
  return { open: () => openDeliveryStore(join(dir.path, "deliveries.db")), remove: dir.remove };
});
