import type { EpochMs, Release } from "@belay/protocol";
import type { ControlPlane } from "../control/control-plane.ts";
import type { ReleaseDocument } from "../state/workspace.ts";
import type { Plan } from "./facts.ts";
import { reasonText } from "./plan-text.ts";
import { nameOf, type ReleaseId } from "./watchtower.ts";

/** Something people should hear of. Senders (webhooks, chat) take it from here. */
export interface ReleaseMessage extends ReleaseId {
  readonly kind: "stage" | "hold" | "resume" | "rollback" | "rolled-back" | "done" | "report" | "waits";
  readonly at: string;
  readonly text: string;
  /** Tells it from others of its kind, over restarts and servers; absent: its time does. */
  readonly about?: string;
  readonly alertRoutes: readonly string[];
}

export interface ReleaseTellerOptions {
  readonly control: Pick<ControlPlane, "workspace">;
  readonly now: () => EpochMs;
  readonly tell: (message: ReleaseMessage) => void;
}

/** Tells people what becomes of releases: each thing once, however often it is found. */
export class ReleaseTeller {
  readonly #options: ReleaseTellerOptions;
  readonly #reports = new Map<string, string>();
  /** What each release was last said to wait for. */
  readonly #waits = new Map<string, string>();

  constructor(options: ReleaseTellerOptions) {
    this.#options = options;
  }

  /** What a move did, with the lines that say why; nothing where state and stage are as before. */
  announce(id: ReleaseId, before: ReleaseDocument, after: Release, lines: readonly string[]): void {
    if (after.state === before.state && after.stage === before.stage) return;
    const kind = KINDS[after.state];
    if (kind !== undefined) this.say(id, after.stage !== before.stage ? "stage" : kind, lines.join("\n"));
  }

  /** A dry run's breach is told once, not at every tick. */
  report(id: ReleaseId, { reports }: Plan): void {
    const text = reports.map(reasonText).join("\n");
    const name = nameOf(id);
    if (text !== "" && this.#reports.get(name) !== text) this.say(id, "report", text);
    this.#reports.set(name, text);
  }

  /** A stage whose time is over and that a gate or a missing approval does not let go is told once for each set of reasons. */
  sayWaits(id: ReleaseId, { epochs }: ReleaseDocument, decided: Plan): void {
    const reasons = decided.kind === "hold" && !decided.isAlarm ? decided.reasons : [];
    const codes = [...new Set(reasons.map(({ code }) => code))];
    const isPatient = codes.includes("min-duration") || codes.every((code) => code === "min-units");
    const about = isPatient ? "" : `${Date.parse(epochs.at(-1)?.from ?? "")}_${codes.sort().join("_")}`;
    const name = nameOf(id);
    if (about !== "" && this.#waits.get(name) !== about) this.say(id, "waits", reasons.map(reasonText).join("\n"), about);
    this.#waits.set(name, about);
  }

  /** @param about tells it from others of its kind, as in `ReleaseMessage` */
  say(id: ReleaseId, kind: ReleaseMessage["kind"], text: string, about?: string): void {
    const { control, now, tell } = this.#options;
    const release = control.workspace.projects.get(id.project)?.environments.get(id.environment)?.releases.get(id.key);
    const alertRoutes = release?.body.alertRoutes ?? [];
    const at = new Date(now()).toISOString();
    tell({ ...id, kind, text, at, alertRoutes, ...(about === undefined ? {} : { about }) });
  }
}

const KINDS: Readonly<Partial<Record<Release["state"], ReleaseMessage["kind"]>>> = {
  ramping: "resume",
  holding: "hold",
  full: "stage",
  done: "done",
  "rolling-back": "rollback",
};
