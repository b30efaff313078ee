// S6: from the rules as a text in memory to the first answer, in a process that has loaded the SDK and done nothing else.
import type { Rival } from "./rival.ts";
import type { Sample } from "./sample.ts";
import type { Scenario } from "./scenario.ts";
import { ruledFlags } from "./work.ts";

export const S6: readonly Scenario[] = [
  { id: "S6-1k", title: "start with 1,000 flags x 5 rules", unit: "ms", measure: (rival) => timeStart(rival, 1_000) },
  { id: "S6-20k", title: "start with 20,000 flags x 5 rules", unit: "ms", measure: (rival) => timeStart(rival, 20_000) },
];

async function timeStart(rival: Rival, flags: number): Promise<Sample> {
  const options = { isTracking: false };
  const document = rival.document(ruledFlags(flags), options);
  const startedAt = performance.now();
  const client = await rival.open(document, options);
  const user = { id: "user-1", attributes: { country: "ZZ", version: "1.0.0", email: "user-1@example.com" } };
  // Nobody comes from ZZ, so the last flag is off; it is asked with the default `true` so that `false` is an answer.
  const isOn = await client.isOn(`flag-${flags - 1}`, client.context(user), true);
  const value = performance.now() - startedAt;
  await client.close();
  if (isOn) throw new Error("the last flag was not answered");
  return { value };
}
