// S6: from the rules as a text in memory to the first answer, in a process that has loaded the SDK and done nothing else.
import type { OpenClient, Rival } from "./rival.ts";
import type { Sample } from "./sample.ts";
import type { Scenario } from "./scenario.ts";
import { COUNTRIES, ruledFlags, type User } from "./work.ts";

export const S6: readonly Scenario[] = [
  { id: "S6-1k", title: "start with 1,000 flags x 5 rules", unit: "ms", measure: (rival) => timeStart(rival, 1_000) },
  { id: "S6-20k", title: "start with 20,000 flags x 5 rules", unit: "ms", measure: (rival) => timeStart(rival, 20_000) },
];

async function timeStart(rival: Rival, flags: number): Promise<Sample> {
  const options = { isTracking: false };
  const document = rival.document(ruledFlags(flags), options);
  const last = `flag-${flags - 1}`;
  const startedAt = performance.now();
  const client = await rival.open(document, options);
  await client.isOn(last, client.context(userOf(0)), false);
  const value = performance.now() - startedAt;
  const isThere = await someoneIsIn(client, last);
  await client.close();
  if (!isThere) throw new Error("the last flag lets nobody in");
  return { value };
}

/** The last flag's first rule lets in a tenth or more of its countries' users: one of five hundred will be in. */
async function someoneIsIn(client: OpenClient, key: string): Promise<boolean> {
  for (let index = 0; index < 500; index++) if (await client.isOn(key, client.context(userOf(index)), false)) return true;
  return false;
}

function userOf(index: number): User {
  return {
    id: `user-${index}`,
    attributes: { country: COUNTRIES[index % COUNTRIES.length] as string, version: "1.0.0", email: "" },
  };
}
