// A month of exposures in the embedded store, at a hundredth of 1,000 a second: how large, how fast to ask, how fast to start.
// `npm run bench -- month [per second] [--write]`; 10 a second by default, 25,920,000 in 30 days.
import { stat } from "node:fs/promises";
import { startServer, tempDir } from "@belay/testkit";
import { databaseFile, estimate, fillStore, withDatabase } from "./filled-store.ts";
import { report, table, whole } from "./page.ts";

const DAYS = 30;
const PER_SECOND = Number(process.argv[2]?.replace(/^--.*/, "") || 10);
const ROWS = PER_SECOND * 86_400 * DAYS;
const ASKED = "experiment-3";

const data = await tempDir("bench-month");
await fillStore(data.path, { rows: ROWS, days: DAYS, experiments: 20 });
const { size } = await stat(databaseFile(data.path));

const [startMs, server] = await timed(() => startServer({ dataDir: data.path }));
const [coldMs, found] = await timed(() => estimate(server, `experiment=${ASKED}`));
const [warmMs] = await timed(() => estimate(server, `experiment=${ASKED}`));
const [dayMs] = await timed(() => estimate(server, `experiment=${ASKED}&from=2026-10-30&to=2026-10-31`));
await server.stop();
const [firstMs] = await timed(() =>
  withDatabase(data.path, (connection) =>
    connection.runAndReadAll(`select variant, date_trunc('day', received_at) as day, count(*), count(*) filter (is_crossed)
      from first_exposures where project = 'default' and kind = 'experiment' and key = '${ASKED}' group by all`),
  ),
);
await data.remove();

const rows: [string, string][] = [
  [
    "database file",
    `${whole(size / 1e6)} MB, ${(size / 1e6 / (ROWS / 1e6)).toFixed(1)} MB per million exposures, first exposures included`,
  ],
  ["start until ready to serve flags and take events", `${whole(startMs)} ms`],
  [`first question after it: count of one experiment (${whole(found)} rows), database started for it`, `${whole(coldMs)} ms`],
  ["the same again", `${whole(warmMs)} ms`],
  ["the same for one day", `${whole(dayMs)} ms`],
  ["first exposures of the experiment by variant and day, one thread", `${whole(firstMs)} ms`],
];
report(
  "month",
  `${DAYS} days at ${PER_SECOND} exposures a second, ${whole(ROWS)} in all, 20 experiments. Not the 2.6 billion of 1,000 a
second, which this disk does not hold: sizes and times that grow with the rows are to be multiplied.

${table(["", "measured"], rows)}`,
);

async function timed<T>(work: () => Promise<T>): Promise<[ms: number, result: T]> {
  const startedAt = performance.now();
  const result = await work();
  return [performance.now() - startedAt, result];
}
