/*
 * A process that a test may kill at any moment: it stores ten exposures at a time in an event store on ClickHouse, as the
 * build has it, and tells whoever forked it the first sequence number of each ten that was acknowledged.
 * Arguments: the folder of the events, the address of the server, the first sequence number.
 */
import { openEventStore } from "../../../../dist/store/events/index.js";

const [directory = "", url = "", from = "1"] = process.argv.slice(2);
process.on("disconnect", () => process.exit(1));
const store = await openEventStore({ directory, clickHouse: { urls: [url] }, segmentAgeMs: 50 });
for (let seq = Number(from); ; seq += 10) {
  const exposures = Array.from({ length: 10 }, (_, index) => ({
    ...{ seq: seq + index, timeMs: Date.now(), flag: "checkout", variant: "on", experiment: "test", epoch: 1, revision: 1 },
    unit: `user-${seq + index}`,
  }));
  await store.append({
    ...{ project: "default", environment: "production", instance: "loader", sdk: "test", batchId: String(seq) },
    ...{ receivedAtMs: Date.now(), clockOffsetMs: 0, exposures, attributes: exposures.map(() => undefined) },
    ...{ metrics: [], properties: [], counts: [], ledger: [] },
  });
  process.send?.(seq);
}
