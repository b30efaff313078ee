import type { Change } from "@belay/protocol";
import type { StoredChange } from "../store/changes/index.ts";

/** A change as the API shows it. */
export function changeView({ at, raised, ...change }: StoredChange): Change {
  const environments = raised.flatMap(({ environment, revision }) =>
    environment === undefined ? [] : [[environment, revision] as const],
  );
  return { ...change, at: new Date(at).toISOString(), raised: Object.fromEntries(environments) };
}
