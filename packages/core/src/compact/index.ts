export { pointOf } from "./hash.ts";
export { type CompactRules, type Outcome, rulesOf, type Tracked } from "./rules.ts";
