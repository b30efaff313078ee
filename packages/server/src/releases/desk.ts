import type { EpochMs } from "@belay/protocol";
import type { ControlPlane } from "../control/control-plane.ts";
import type { InstanceRegistry } from "../instances/registry.ts";
import { accountOf, sumByArm } from "../ledger/domain.ts";
import type { ChangeLog } from "../store/changes/index.ts";
import type { EventStore, IncomingBatch } from "../store/events/index.ts";
import type { SightingStore } from "../store/sightings/index.ts";
import { trackedAs } from "./document.ts";
import { ReleaseService, type ReleaseServiceOptions } from "./service.ts";
import { isLive } from "./states.ts";
import type { ReleaseMessage } from "./teller.ts";
import { nameOf, Watchtower } from "./watchtower.ts";

export interface ReleaseDeskOptions {
  readonly control: ControlPlane;
  readonly log: Pick<ChangeLog, "takeLease" | "releaseLease">;
  readonly events: Pick<EventStore, "pull" | "ledger">;
  readonly instances: InstanceRegistry;
  readonly now: () => EpochMs;
  /** Names this life of this server in the lease, and among those that watch. */
  readonly holder: string;
  /** Where other servers watch over the same releases: what all of them counted. */
  readonly sightings?: SightingStore;
  readonly tell: (message: ReleaseMessage) => void;
  readonly onFault: (error: unknown) => void;
  /** Lowers a flag here while the change log is away: see `ReleaseServiceOptions`. */
  readonly lowerHere?: NonNullable<ReleaseServiceOptions["lowerHere"]>;
  readonly promised?: NonNullable<ReleaseServiceOptions["promised"]>;
  /** Time from one look at the ladders to the next; 2 s. A verdict is acted on at once all the same. */
  readonly everyMs?: number;
}

const EVERY_MS = 2_000;
const LOSS_EVERY_MS = 60_000;
/** As the ledger's own report: an instance not heard for ten minutes has lost what is missing. */
const SILENT_MS = 600_000;

/** Everything of releases that runs by itself on one server. */
export class ReleaseDesk {
  readonly service: ReleaseService;
  readonly tower: Watchtower;
  readonly #options: ReleaseDeskOptions;
  readonly #losses = new Map<string, number>();
  readonly #timers: readonly NodeJS.Timeout[];

  constructor(options: ReleaseDeskOptions) {
    this.#options = options;
    const { onFault, sightings, holder } = options;
    this.tower = new Watchtower({
      ...options,
      ...(sightings === undefined ? {} : { sharing: { store: sightings, writer: holder } }),
      onVerdict: (id, detectedAt) => this.service.onVerdict(id, detectedAt),
      onFault,
    });
    this.service = new ReleaseService({ ...options, tower: this.tower, lossOf: (id) => this.#losses.get(nameOf(id)) });
    this.#timers = [
      setInterval(() => void this.service.tick(), options.everyMs ?? EVERY_MS).unref(),
      setInterval(() => void this.measureLoss(), LOSS_EVERY_MS).unref(),
    ];
  }

  /** A batch was acknowledged. */
  take(batch: IncomingBatch): void {
    this.tower.take(batch);
  }

  /** Asks the ledger of each live release what share of its exposures is lost. */
  async measureLoss(): Promise<void> {
    const { control, events, now, onFault } = this.#options;
    for (const [project, { environments }] of control.workspace.projects) {
      for (const [environment, { releases }] of environments) {
        for (const [key, { body }] of releases) {
          if (!isLive(body.state)) continue;
          try {
            const lines = await events.ledger({ project, environments: [environment], ...trackedAs(key, body) });
            const arms = sumByArm(lines.map((line) => accountOf(line, now(), SILENT_MS)));
            const produced = arms.reduce((sum, arm) => sum + arm.produced, 0);
            const gone = arms.reduce((sum, arm) => sum + arm.dropped + arm.lost, 0);
            if (produced > 0) this.#losses.set(nameOf({ project, environment, key }), gone / produced);
          } catch (error) {
            onFault(error);
          }
        }
      }
    }
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.tower.close();
    await this.service.close();
  }
}
