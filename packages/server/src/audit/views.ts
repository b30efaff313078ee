import type { Change } from "@belay/protocol";
import type { StoredChange } from "../store/changes/index.ts";

/** A change as the API shows it. */
export function changeView({ at, raised, approvals, ...change }: StoredChange): Change {
  const environments = raised.flatMap(({ environment, revision }) =>
    environment === undefined ? [] : [[environment, revision] as const],
  );
  return {
    ...change,
    at: new Date(at).toISOString(),
    raised: Object.fromEntries(environments),
    ...(approvals === undefined
      ? {}
      : { approvals: approvals.map((given) => ({ ...given, at: new Date(given.at).toISOString() })) }),
  };
}
