/*
 * The collector, told when to run, so that contexts made ahead are not moved about inside what is timed. Samples run
 * with --expose-gc.
 */
type Collect = (options?: { readonly type: "major" | "minor" }) => void;

/** Moves what is alive out of the young generation: two scavenges promote it. */
export function promoteLiving(): void {
  collect()({ type: "minor" });
  collect()({ type: "minor" });
}

/** Leaves the young generation empty. */
export function collectAll(): void {
  collect()({ type: "major" });
}

/** Bytes of the heap after everything that is dead has gone. */
export async function livingHeapBytes(): Promise<number> {
  // Finalizers and caches let go in steps; several rounds with turns of the event loop between them settle it. The collection
  // without a type is the precise one: a `major` may only end a marking that had begun, and keep what has died since. With
  // 10,000 flags that was the whole parsed document, six times over.
  for (let round = 0; round < 6; round++) {
    collect()();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return process.memoryUsage().heapUsed;
}

function collect(): Collect {
  const { gc } = globalThis as { gc?: Collect };
  if (gc === undefined) throw new Error("This program needs node --expose-gc.");
  return gc;
}
