/* Which engine each store is on, as the settings say. */
import { join } from "node:path";
import type { Config } from "./config.ts";
import type { ControlPlane } from "./control/control-plane.ts";
import { GatheredLedger } from "./ledger/gathered-ledger.ts";
import { type Bus, LocalBus, postgresBus, redisBus } from "./store/bus/index.ts";
import { type ChangeLog, MirroredChangeLog, openChangeLog, postgresChangeLog } from "./store/changes/index.ts";
import { type DeliveryStore, openDeliveryStore, postgresDeliveryStore } from "./store/deliveries/index.ts";
import type { EventStore } from "./store/events/index.ts";
import { postgresLedgerStore } from "./store/ledgers/index.ts";
import { inheritedNamesIn, serverNameIn, settleInheritance } from "./store/server-name.ts";

/** PostgreSQL where several servers share it, with a mirror here to start from while it is away; else a file. */
export async function openLog({ databaseUrl }: Config, folder: string, onFault: (error: unknown) => void): Promise<ChangeLog> {
  if (databaseUrl === undefined) return openChangeLog(join(folder, "changes.db"));
  return new MirroredChangeLog(postgresChangeLog({ url: databaseUrl }), { file: join(folder, "changes.mirror.json"), onFault });
}

/** Servers that share a database and no event store tell each other what their ledgers say; absent elsewhere. */
export async function gatherLedgers(
  { databaseUrl, clickHouse }: Config,
  folder: string,
  { control, events }: { readonly control: ControlPlane; readonly events: EventStore },
  onFault: (error: unknown) => void,
): Promise<GatheredLedger | undefined> {
  if (databaseUrl === undefined || clickHouse !== undefined) return undefined;
  const from = await inheritedNamesIn(folder);
  return new GatheredLedger({
    events,
    store: postgresLedgerStore({ url: databaseUrl }),
    server: await serverNameIn(folder),
    ...(from.length === 0 ? {} : { inheritance: { from, settle: () => settleInheritance(folder) } }),
    projects: () => new Map([...control.workspace.projects].map(([key, { environments }]) => [key, [...environments.keys()]])),
    now: Date.now,
    onFault,
  });
}

/** Over Redis where there is one; else over the PostgreSQL that several servers share; else nobody is there to be told. */
export function openBus({ redis, databaseUrl }: Config, onFault: (error: unknown) => void): Bus {
  if (redis !== undefined) return redisBus({ redis, onFault });
  return databaseUrl === undefined ? new LocalBus().join() : postgresBus({ url: databaseUrl, onFault });
}

/** Beside the change log, so that any server that shares it can carry what is to be sent. */
export async function openDeliveries({ databaseUrl }: Config, folder: string): Promise<DeliveryStore> {
  return databaseUrl === undefined
    ? openDeliveryStore(join(folder, "deliveries.db"))
    : postgresDeliveryStore({ url: databaseUrl });
}
