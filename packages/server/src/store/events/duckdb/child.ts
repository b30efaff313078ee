/*
 * The process that owns the DuckDB file. It is its own so that a heavy query, a native crash or a lack of memory costs no
 * flag evaluation and no acknowledgement; the spool makes ending it at any moment safe.
 */
import { setPriority } from "node:os";
import { EventDatabase } from "./database.ts";
import type { Answer, Ping, Question } from "./messages.ts";

async function main(directory: string, spoolDirectory: string): Promise<void> {
  // Adding up may take every core that is idle, and none that evaluations and acknowledgements ask for.
  setPriority(PRIORITY);
  // A child whose server is gone would hold the file against the next one.
  process.on("disconnect", () => process.exit());
  // Ending is the server's to say: Ctrl-C reaches the whole group.
  process.on("SIGINT", () => undefined);
  process.on("SIGTERM", () => undefined);
  // Opening a file that a crash left may take long, and is no hanging.
  const opening = EventDatabase.open({ directory, spoolDirectory });
  process.on("message", (message: Question | Ping) => {
    if ("ping" in message) tell({ alive: true });
    else void opening.then((database) => answer(database, message)).then(tell, () => undefined);
  });
  tell({ alive: true });
  await opening;
  tell({ opened: true });
}

/** Less than the server's own 0; not the least, so that on a busy machine loads still go on. */
const PRIORITY = 5;

async function answer(database: EventDatabase, { id, method, args }: Question): Promise<Answer> {
  try {
    const call = database[method] as (...args: unknown[]) => Promise<unknown>;
    return { id, value: await call.apply(database, [...args]) };
  } catch (error) {
    return { id, error: error instanceof Error ? error.message : String(error) };
  }
}

function tell(answer: Answer): void {
  process.send?.(answer, () => undefined);
}

const [directory = "", spoolDirectory = ""] = process.argv.slice(2);
main(directory, spoolDirectory).catch((error: Error) => {
  process.send?.({ failed: error.message } satisfies Answer, () => process.exit(1));
});
