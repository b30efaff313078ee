import type { Snapshot } from "@belay/protocol";
import { type CompileOptions, Definitions } from "./definitions.ts";
import type { Ruleset } from "./ruleset.ts";
import { Walker } from "./walker.ts";

/** What explaining asks of rules. */
export type Explainable = Pick<Ruleset, "project" | "environment" | "revision" | "find" | "defect" | "peek">;

/** A snapshot compiled to be explained and not to be asked in a hurry: a third of the code of `compile`, for a page. */
export function preview(snapshot: Snapshot, options: CompileOptions = {}): Explainable {
  const definitions = new Definitions(snapshot, options, {});
  const walker = new Walker(definitions);
  const { project, environment, revision } = definitions;
  return {
    ...{ project, environment, revision },
    find: (key) => definitions.find(key),
    defect: (key) => definitions.defect(key),
    peek: (key, context) => walker.peek(key, context),
  };
}
