/** OpenFeature's specification suites, for any SDK and provider: scenarios, what their sentences mean, the flags they ask for. */
export { ApiOfSdk, type SdkApi } from "./api-of-sdk.ts";
export { detailsOf } from "./details-of.ts";
export { play } from "./steps.ts";
export { SUITE_FLAGS } from "./suite-flags.ts";
export { type Paradigm, scenariosFor } from "./suites.ts";
export type {
  ApiUnderTest,
  SuiteDetails,
  SuiteEvaluation,
  SuiteHook,
  SuiteStatus,
  SuiteTells,
} from "./world.ts";
