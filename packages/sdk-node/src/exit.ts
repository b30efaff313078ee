/*
 * What happens to events when the process ends. One set of process listeners serves all clients of the process and is
 * there only while one of them is open.
 *
 * The application's way of ending stays its own: with a listener of its own for a signal it decides when to exit, and
 * the events are sent meanwhile; without one the signal is raised again once they are sent, so that the process dies of
 * it as it would have.
 */

/** What an open client must be able to do at the end. */
export interface Exiting {
  close(): Promise<unknown>;
  /** Events not sent yet. */
  unsent(): number;
  /** The process ends now, without another turn. */
  abandoned(unsent: number): void;
}

const SIGNALS = ["SIGTERM", "SIGINT"] as const;

const open = new Set<Exiting>();
let isEnding = false;

/** Sees a client off when the process ends. Returns how to forget it. */
export function onProcessExit(client: Exiting): () => void {
  if (open.size === 0) listen();
  open.add(client);
  return () => {
    if (open.delete(client) && open.size === 0) unlisten();
  };
}

function listen(): void {
  process.on("beforeExit", closeAll);
  process.on("exit", sayAbandoned);
  // First in the row: a listener added with `once` is gone when it has run, and would look as if there were none.
  for (const signal of SIGNALS) process.prependListener(signal, endBySignal);
}

function unlisten(): void {
  process.off("beforeExit", closeAll);
  process.off("exit", sayAbandoned);
  for (const signal of SIGNALS) process.off(signal, endBySignal);
}

async function closeAll(): Promise<void> {
  await Promise.all([...open].map((client) => client.close()));
}

function endBySignal(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return void closeAll();
  // The second signal of an impatient person is obeyed at once.
  if (isEnding) {
    raise(signal);
    return;
  }
  isEnding = true;
  void closeAll().finally(() => raise(signal));
}

function raise(signal: NodeJS.Signals): void {
  unlisten();
  process.kill(process.pid, signal);
}

function sayAbandoned(): void {
  for (const client of open) {
    const unsent = client.unsent();
    if (unsent > 0) client.abandoned(unsent);
  }
}
