/* What one server of a cluster does in rounds, each under a lease of its own. */
import { COMPILE_OPTIONS } from "./compile-options.ts";
import type { ControlPlane } from "./control/control-plane.ts";
import type { FlagUses } from "./flags/flag-uses.ts";
import { StaleKeeper } from "./flags/stale-keeper.ts";
import { History } from "./history/history.ts";
import { OutcomeKeeper } from "./releases/log/outcome-keeper.ts";
import { Clerk } from "./requests/clerk.ts";
import { LookKeeper } from "./results/look-keeper.ts";
import { createResults } from "./results/service.ts";
import type { ChangeLog } from "./store/changes/index.ts";
import type { DeliveryStore } from "./store/deliveries/index.ts";
import type { EventStore } from "./store/events/index.ts";

export interface RoundsParts {
  readonly control: ControlPlane;
  readonly log: ChangeLog;
  readonly events: EventStore;
  /** The same with what other servers have in their ledgers. */
  readonly read: EventStore;
  readonly deliveries: DeliveryStore;
  readonly uses: FlagUses;
  /** Names this process in the leases. */
  readonly holder: string;
  readonly warn: (about: object, message: string) => void;
}

/** Looks at experiments and stale flags, writes down outcomes, makes requests. @returns what ends each of them. */
export function startRounds({
  control,
  log,
  events,
  read,
  deliveries,
  uses,
  holder,
  warn,
}: RoundsParts): (() => Promise<void>)[] {
  const looks = new LookKeeper({
    control,
    log,
    results: createResults({ control, events: read, now: Date.now, deliveries }),
    now: Date.now,
    holder,
    onFault: (error, experiment) => warn({ err: error, experiment }, "experiment not looked at yet"),
  });
  const outcomes = new OutcomeKeeper({
    control,
    log,
    events,
    now: Date.now,
    holder,
    onFault: (error, release) => warn({ err: error, release }, "outcomes of a release not written down yet"),
  });
  const clerk = new Clerk({
    control,
    log,
    history: new History(log),
    compile: COMPILE_OPTIONS,
    now: Date.now,
    holder,
    onFault: (error) => warn({ err: error }, "requests not looked after yet"),
  });
  const stale = new StaleKeeper({
    control,
    log,
    uses,
    now: Date.now,
    holder,
    onFault: (error) => warn({ err: error }, "stale flags not looked for yet"),
  });
  return [looks, outcomes, clerk, stale].map((keeper) => () => keeper.close());
}
