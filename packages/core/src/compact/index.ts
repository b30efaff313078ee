export { pointOf } from "./hash.ts";
export { type CompactRules, failure, type Outcome, rulesOf, type Tracked } from "./rules.ts";
