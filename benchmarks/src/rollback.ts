// From the acknowledgement of the batch that shows harm to 100 connected SDKs deciding off, against a real server process.
import { startServer } from "@belay/testkit";
import { measureRollbacks } from "./rollback-rounds.ts";
import { quantile } from "./rounds.ts";

const CLIENTS = 100;
const ROUNDS = 60;
const WARMUPS = 5;

const server = await startServer();
const rounds = (await measureRollbacks(server, { clients: CLIENTS, rounds: WARMUPS + ROUNDS })).slice(WARMUPS);
await server.stop();
const line = (values: readonly number[]): string =>
  `p50 ${quantile(values, 0.5).toFixed(1)} ms, p99 ${quantile(values, 0.99).toFixed(1)} ms, most ${Math.max(...values).toFixed(1)} ms`;
console.log(`${ROUNDS} rollbacks, ${CLIENTS} clients; from the acknowledgement of the deciding batch`);
console.log(`  to each client deciding off      ${line(rounds.flat())}`);
console.log(`  to the last client deciding off  ${line(rounds.map((round) => Math.max(...round)))}`);
