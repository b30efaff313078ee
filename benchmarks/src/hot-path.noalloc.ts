/*
 * S1 to S4 of Belay allocate nothing: fails when a call leaves half a byte or more on the heap. Bytes, unlike times, are
 * the same on a busy machine, so this can be asked on every one.
 *
 *   npm run bench -- hot-path.noalloc
 */
import { OURS } from "./hot-path/contenders.ts";
import { NO_BYTES } from "./hot-path/goals.ts";
import { SCENARIOS } from "./hot-path/scenarios.ts";
import { spawnSample } from "./hot-path/spawn-sample.ts";
import { CONTROL } from "./hot-path/told.ts";

const control = await spawnSample(OURS, CONTROL);
const seen = control.kind === "sample" ? control.sample.value : 0;
const canSee = seen >= 12;
console.log(`${canSee ? "ok    " : "FAILED"} an object a call is seen as ${seen.toFixed(2)} bytes`);
let areClean = canSee;

for (const { id, title } of SCENARIOS.filter(({ unit }) => unit === "bytes")) {
  const told = await spawnSample(OURS, id);
  const isClean = told.kind === "sample" && told.sample.value < NO_BYTES;
  const found =
    told.kind === "sample" ? `${told.sample.value.toFixed(4)} bytes a call` : "reason" in told ? told.reason : told.kind;
  console.log(`${isClean ? "ok    " : "FAILED"} ${id} ${title}: ${found}`);
  areClean &&= isClean;
}
process.exitCode = areClean ? 0 : 1;
