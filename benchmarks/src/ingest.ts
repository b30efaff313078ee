// Durable exposures per second into the embedded event store, and how long an acknowledgement takes: as fast as connections
// can, and at a steady rate of arrivals. `npm run bench -- ingest [--write]`.
import { takeClosed } from "./ingest/closed-loop.ts";
import { takeSteadily } from "./ingest/steady.ts";
import { report, table, whole } from "./page.ts";
import { quantile } from "./rounds.ts";

const closed: string[][] = [];
for (const isRead of [false, true]) {
  for (const size of [100, 500]) {
    for (const connections of [1, 50]) {
      const cells: string[] = [];
      for (const isGzip of [false, true]) {
        const { rate, latenciesMs } = await takeClosed({ size, connections, isRead, isGzip });
        cells.push(whole(rate), `${ms(latenciesMs, 0.5)} / ${ms(latenciesMs, 0.99)}`);
      }
      closed.push(told([isRead ? "yes" : "no", String(size), String(connections), ...cells]));
    }
  }
}

const steady: string[][] = [];
for (const rate of [50_000, 100_000]) {
  const alone = await takeSteadily({ rate, isAddedUp: false });
  const heavy = await takeSteadily({ rate, isAddedUp: true });
  const p99 = (offered: typeof alone): number => quantile(offered.latenciesMs, 0.99);
  const cells = ({ latenciesMs, senderLateMs, addedUp }: typeof alone): string[] => [
    ...[0.5, 0.99, 0.999, 1].map((share) => ms(latenciesMs, share)),
    `${senderLateMs.toFixed(1)} ms`,
    addedUp === 0 ? "" : String(addedUp),
  ];
  steady.push(told([whole(rate), "no", ...cells(alone), ""]));
  steady.push(told([whole(rate), "yes", ...cells(heavy), (p99(heavy) / p99(alone)).toFixed(1)]));
}

const CLOSED = [
  "read meanwhile",
  "batch",
  "connections",
  "plain, exposures/s",
  "ack p50 / p99",
  "gzip, exposures/s",
  "ack p50 / p99",
];
const STEADY = [
  "exposures/s",
  "added up meanwhile",
  "p50",
  "p99",
  "p99.9",
  "longest",
  "sender late",
  "results read",
  "p99, times alone",
];
report(
  "ingest",
  `Durable exposures per second into the embedded store, acknowledged only once they are synced to disk, each figure against
a new server for 3 s; "read meanwhile": two readers count and pull everything as CSV, over and over. Each connection has one
batch under way: with 50 of 500 exposures there are 25,000 in flight, and at 200,000 a second each waits an eighth of a second
on average, by Little's law, however fast the disk is.

${table(CLOSED, closed)}

The same at a steady rate: batches of 100 of 50 instances are due by a clock that waits for no answer, for 6 s, and each is timed
from when it was due, so that a server that stalls is charged for all that arrives meanwhile. "Added up meanwhile": the results of
the experiment whose exposures arrive are asked for over and over, each time with what came since.

${table(STEADY, steady)}`,
);

/** A line is shown as it is found: the whole takes minutes. */
function told(line: string[]): string[] {
  console.log(line.join("  "));
  return line;
}

function ms(values: readonly number[], share: number): string {
  return `${quantile(values, share).toFixed(1)} ms`;
}
