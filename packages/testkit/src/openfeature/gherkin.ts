import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
// The parser of the Gherkin project itself: it fills in outlines and backgrounds. Steps need no framework around them.
import { AstBuilder, compile, GherkinClassicTokenMatcher, Parser } from "@cucumber/gherkin";

/** Tag of scenarios for a provider that remembers its answers, and says so. */
export const CACHED = "@reason-codes-cached";

/** One scenario with its outline's row filled in and the background's steps before its own. */
export interface Scenario {
  readonly name: string;
  /** Of the scenario, its feature and its row's table, with the `@`. */
  readonly tags: readonly string[];
  readonly steps: readonly ScenarioStep[];
}

export interface ScenarioStep {
  readonly text: string;
  /** Rows of cells, where the step has a table. */
  readonly table?: readonly (readonly string[])[];
}

/** The scenarios of every `.feature` file of a folder, by file name. */
export function readFeatures(folder: string): ReadonlyMap<string, readonly Scenario[]> {
  const names = readdirSync(folder).filter((name) => name.endsWith(".feature"));
  return new Map(names.sort().map((name) => [name, readScenarios(readFileSync(join(folder, name), "utf8"))]));
}

/** The scenarios of one feature. @throws Error of the parser, with line and column, for text that is no Gherkin */
function readScenarios(text: string): readonly Scenario[] {
  let ids = 0;
  const newId = (): string => String(++ids);
  const document = new Parser(new AstBuilder(newId), new GherkinClassicTokenMatcher()).parse(text);
  return compile(document, "", newId).map(({ name, tags, steps }) => ({
    name,
    tags: tags.map(({ name: tag }) => tag),
    steps: steps.map(({ text: said, argument }) => {
      const rows = argument?.dataTable?.rows.map(({ cells }) => cells.map(({ value }) => value));
      return rows === undefined ? { text: said } : { text: said, table: rows };
    }),
  }));
}
