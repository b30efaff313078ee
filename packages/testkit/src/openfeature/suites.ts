import { CACHED, readFeatures, type Scenario } from "./gherkin.ts";
import { SCENARIOS } from "./scenarios.ts";

/**
 * Where a context may be given: at every level (OpenFeature's dynamic-context paradigm), or once for the whole page, where
 * requirement 3.2.2.2 forbids clients and invocations to take one (static context).
 */
export type Paradigm = "dynamic" | "static";

const LEVELS_OF_DYNAMIC_CONTEXT = ["Transaction", "Client", "Invocation", "Before Hooks"];

/**
 * What a provider has to pass, by name: our own scenarios, and the specification's suites where BELAY_OPENFEATURE_SUITES
 * names their folder (`specification/assets/gherkin` of open-feature/spec).
 */
export function scenariosFor(paradigm: Paradigm): readonly (readonly [name: string, scenario: Scenario])[] {
  const folder = process.env["BELAY_OPENFEATURE_SUITES"];
  const originals = folder === undefined ? [] : [...readFeatures(folder)].flatMap(numbered);
  return [...SCENARIOS.map((scenario) => [scenario.name, scenario] as const), ...originals].filter(([, scenario]) =>
    paradigm === "dynamic" ? !asksForMemory(scenario) : !mergesContexts(scenario),
  );
}

/** "A provider can return CACHED": one that decides anew each time, as on Node, would not tell the truth. */
function asksForMemory({ tags }: Scenario): boolean {
  return tags.includes(CACHED);
}

function mergesContexts({ steps }: Scenario): boolean {
  return steps.some(({ text }) => LEVELS_OF_DYNAMIC_CONTEXT.some((level) => text.includes(`the "${level}" level`)));
}

function numbered([file, scenarios]: readonly [string, readonly Scenario[]]): (readonly [string, Scenario])[] {
  return scenarios.map((scenario, index) => [`${file} ${index + 1}: ${scenario.name}`, scenario] as const);
}
