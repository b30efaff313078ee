// A month of exposures in the embedded store: how large, how fast to ask, how fast to start. At some rates that fit the disk and
// the hour, and by the line through the last two of them at 1,000 a second, which is 2.6 billion exposures.
// `npm run bench -- month [per second,...] [--write]`; 1, 4 and 16 a second by default.
import { stat } from "node:fs/promises";
import { startServer, tempDir } from "@belay/testkit";
import { databaseFile, estimate, fillStore, withDatabase } from "./filled-store.ts";
import { lineThrough } from "./line.ts";
import { report, table, whole } from "./page.ts";
import { quantile } from "./rounds.ts";

const DAYS = 30;
const ASKED_RATE = 1_000;
const RATES = (process.argv[2]?.replace(/^--.*/, "") || "1,4,16").split(",").map(Number);
const ASKED = "experiment-3";
const rowsAt = (perSecond: number): number => perSecond * 86_400 * DAYS;

interface Month {
  readonly fileMb: number;
  readonly startMs: number;
  readonly coldMs: number;
  readonly warmMs: number;
  readonly dayMs: number;
  readonly firstMs: number;
}

const FIGURES: readonly (readonly [words: string, of: keyof Month, unit: string])[] = [
  ["database file, first exposures included", "fileMb", "MB"],
  ["start until ready to serve flags and take events", "startMs", "ms"],
  ["first question after it: count of one experiment, database started for it", "coldMs", "ms"],
  ["the same again", "warmMs", "ms"],
  ["the same for one day", "dayMs", "ms"],
  ["first exposures of the experiment by variant and day, one thread", "firstMs", "ms"],
];

const months: Month[] = [];
for (const rate of RATES) {
  months.push(await measure(rowsAt(rate)));
  console.log(`${rate} a second`, months.at(-1));
}

const head = [
  "",
  ...RATES.map((rate) => `${rate} a second, ${whole(rowsAt(rate))} rows`),
  `${whole(ASKED_RATE)} a second, by the line`,
];
const rows = FIGURES.map(([words, of, unit]) => {
  const points = RATES.map((rate, index) => ({ x: rowsAt(rate), y: months[index]?.[of] ?? Number.NaN }));
  const values = [...points.map(({ y }) => y), lineThrough(points)(rowsAt(ASKED_RATE))];
  return [words, ...values.map((value) => `${whole(value)} ${unit}`)];
});
const perMillion = months.map(({ fileMb }, index) => `${((fileMb * 1e6) / rowsAt(RATES[index] ?? 1)).toFixed(1)} MB`);
report(
  "month",
  `${DAYS} days of exposures in 20 experiments, none of a unit that its experiment met before. What the last column says nobody has
run: it is the line through the two columns before it, at ${whole(rowsAt(ASKED_RATE))} rows; what differs by less than a quarter
between them is taken not to grow.

${table(head, [...rows, ["on disk per million exposures", ...perMillion, ""]])}`,
);

async function measure(count: number): Promise<Month> {
  const data = await tempDir("bench-month");
  await fillStore(data.path, { rows: count, days: DAYS, experiments: 20 });
  const { size } = await stat(databaseFile(data.path));
  const [startMs, server] = await timed(() => startServer({ dataDir: data.path }));
  const [coldMs, found] = await timed(() => estimate(server, `experiment=${ASKED}`));
  if (found !== count / 20) throw new Error(`counted ${found} of ${count}`);
  const warmMs = await medianMs(() => estimate(server, `experiment=${ASKED}`));
  const dayMs = await medianMs(() => estimate(server, `experiment=${ASKED}&from=2026-10-30&to=2026-10-31`));
  await server.stop();
  const [firstMs] = await timed(() =>
    withDatabase(data.path, (connection) =>
      connection.runAndReadAll(`select variant, date_trunc('day', time) as day, count(*), count(*) filter (is_crossed)
        from first_exposures where project = 'default' and kind = 'experiment' and key = '${ASKED}' group by all`),
    ),
  );
  await data.remove();
  return { fileMb: size / 1e6, startMs, coldMs, warmMs, dayMs, firstMs };
}

/** Of five times: short ones are mostly what else the machine does. */
async function medianMs(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < 5; round += 1) times.push((await timed(work))[0]);
  return quantile(times, 0.5);
}

async function timed<T>(work: () => Promise<T>): Promise<[ms: number, result: T]> {
  const startedAt = performance.now();
  const result = await work();
  return [performance.now() - startedAt, result];
}
