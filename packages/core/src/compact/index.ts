export { pointOf } from "./hash.ts";
export { type Decide, deciderOf, failure, type Outcome, type Tracked } from "./rules.ts";
