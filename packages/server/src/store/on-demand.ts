import { createRequire } from "node:module";

const load = createRequire(import.meta.url);

/**
 * A CommonJS package that is loaded when it is first used. Most servers run without the engine it speaks to, and loading it
 * takes part of every start and of the memory of an idle server.
 */
export function onDemand<T>(name: string): () => T {
  return () => load(name) as T;
}
