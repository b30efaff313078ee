import type { EpochMs, Revision } from "@belay/protocol";
import { Counter, Histogram, type Registry } from "prom-client";
import type { ControlPlane } from "../control/control-plane.ts";
import type { InstanceRegistry } from "../instances/registry.ts";
import { reached } from "../store/changes/raise.ts";
import { gauge } from "./counted.ts";
import type { Places } from "./places.ts";

export interface ChangeMeterSources {
  readonly control: Pick<ControlPlane, "onCommit" | "workspace" | "isLogKnown">;
  readonly instances: Pick<InstanceRegistry, "onReceipt">;
  readonly places: Places;
  readonly now: () => EpochMs;
}

/** Seconds. */
const BUCKETS = [0.005, 0.02, 0.05, 0.1, 0.5, 2, 10, 60];

/** Revisions of one environment whose way is followed; an SDK that takes a change later than so many others is not timed. */
const FOLLOWED_MAX = 100;

/** Changes made, and how long they take until an application decides with them. */
export function meterChanges(registry: Registry, { control, instances, places, now }: ChangeMeterSources): void {
  const changes = new Counter({
    name: "belay_changes_total",
    help: "Changes that went live here, whoever committed them; environment is empty for what all environments share",
    labelNames: ["project", "environment"],
    registers: [registry],
  });
  const seconds = new Histogram({
    name: "belay_propagation_seconds",
    help: "Time from a change going live here to an application saying that it decides with it",
    buckets: BUCKETS,
    registers: [registry],
  });
  gauge(registry, { name: "belay_flags", help: "Flags of all projects" }, (set) => {
    set([...control.workspace.projects.values()].reduce((sum, { flags }) => sum + flags.size, 0));
  });
  const known = "0 while the change log is another one than this server knows: changes are refused";
  gauge(registry, { name: "belay_change_log_known", help: known }, (set) => set(control.isLogKnown ? 1 : 0));
  const live = new LiveSince();
  control.onCommit((_, { raises }) => {
    for (const raise of raises) {
      const { project, environment } = raise;
      if (project === undefined) continue;
      changes.inc({ ...places.labels(project, environment) });
      if (environment !== undefined) live.note(`${project}/${environment}`, reached(raise), now());
    }
  });
  instances.onReceipt((seen, before) => {
    // Who was not heard of before began with this revision, and who says the same again did not take it just now.
    if (before === undefined || before.revision >= seen.revision) return;
    const since = live.of(`${seen.project}/${seen.environment}`, seen.revision);
    if (since !== undefined) seconds.observe(Math.max(0, now() - since) / 1_000);
  });
}

/** When the latest revisions of each environment went live. */
class LiveSince {
  readonly #places = new Map<string, Map<Revision, EpochMs>>();

  note(place: string, revision: Revision, at: EpochMs): void {
    const revisions = this.#places.get(place) ?? new Map<Revision, EpochMs>();
    this.#places.set(place, revisions.set(revision, at));
    const [oldest] = revisions.keys();
    if (revisions.size > FOLLOWED_MAX && oldest !== undefined) revisions.delete(oldest);
  }

  of(place: string, revision: Revision): EpochMs | undefined {
    return this.#places.get(place)?.get(revision);
  }
}
