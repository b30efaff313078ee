/** OpenFeature's specification suites, for any SDK and provider: scenarios, what their sentences mean, the flags they ask for. */
export { readFeatures, readScenarios, type Scenario, type ScenarioStep } from "./gherkin.ts";
export { SCENARIOS } from "./scenarios.ts";
export {
  type ApiUnderTest,
  play,
  type SuiteDetails,
  type SuiteEvaluation,
  type SuiteHook,
  type SuiteStatus,
} from "./steps.ts";
export { SUITE_FLAGS } from "./suite-flags.ts";
