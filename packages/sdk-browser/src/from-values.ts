import type { FlagKey, Json, Snapshot, SnapshotFlag } from "@belay/protocol";

/**
 * Finished values as rules that serve them to everybody: for pages whose server decided. They record no exposures, since
 * the server that decided has.
 *
 * @example
 * createClient({ url, clientKey, bootstrap: fromValues({ "checkout-v2": true }) });
 */
export function fromValues(values: { readonly [key: FlagKey]: Json }): Snapshot {
  const flags = Object.entries(values).map(([key, value]): [FlagKey, SnapshotFlag] => [
    key,
    {
      type: typeof value as SnapshotFlag["type"],
      variants: { rendered: value },
      enabled: true,
      rules: [],
      fallthrough: { variant: "rendered" },
    },
  ]);
  return { format: 1, project: "", environment: "", revision: 0, spaces: {}, segments: {}, flags: Object.fromEntries(flags) };
}
