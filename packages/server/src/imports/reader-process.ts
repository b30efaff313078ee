/*
 * The process that reads one file. It is its own so that parsing takes no time from the server, and a file made to hurt its
 * reader hurts this process alone.
 */
import { UnreadableFile } from "./files/file-rows.ts";
import type { ReaderAnswer, ReaderQuestion } from "./messages.ts";
import { MissingColumnError, openReading, type Reading, type RowBatch } from "./reading.ts";

let reading: Reading | undefined;
let batches: AsyncIterator<RowBatch> | undefined;

async function answer(question: ReaderQuestion): Promise<ReaderAnswer> {
  if ("open" in question) {
    reading = await openReading(question.open.path, question.open.plan);
    return { opened: true };
  }
  if (reading === undefined) return { unreadable: "it is not open" };
  if ("count" in question) return { rows: await reading.count() };
  batches ??= reading.batches(question.next.above)[Symbol.asyncIterator]();
  const { value, done } = await batches.next();
  return { batch: done === true ? undefined : value };
}

function refusal(error: unknown): ReaderAnswer {
  if (error instanceof MissingColumnError) {
    const { field, column, columns } = error;
    return { missing: { field, column, columns } };
  }
  if (error instanceof UnreadableFile) return { unreadable: error.message };
  throw error;
}

// A reader whose server is gone has nobody to read for.
process.on("disconnect", () => process.exit());
// Ending is the server's to say: Ctrl-C reaches the whole group.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => undefined);
process.on("message", (question: ReaderQuestion) => {
  void answer(question)
    .catch(refusal)
    .then((said) => process.send?.(said, () => undefined));
});
