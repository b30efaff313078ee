import type { EpochMs, FlagKey, Ppm, Revision, Targeting } from "@belay/protocol";
import { lowered } from "../flags/lowering.ts";
import { amend } from "../state/amend.ts";
import type { Workspace } from "../state/workspace.ts";
import type { DocumentWrite, StoredDocument, StreamRevision } from "../store/changes/index.ts";
import { asJson } from "./decision.ts";

/**
 * A flag that was switched off, or shown to fewer, at one server while the change log was away. It lies over what the log says until the log
 * has it, so that what is durable and what is not are never mixed:
 *
 *   base (the log)     r7 ─────────────────────── r8 (another's) ── r9 (the override, committed)
 *   served here        r7 ── r8 (override over r7) ── r9 (override over r8) ── r9
 */
export interface Override {
  readonly id: string;
  readonly project: string;
  readonly environment: string;
  readonly flag: FlagKey;
  readonly at: EpochMs;
  readonly actor: { readonly id: string; readonly name: string };
  readonly requestId: string;
  readonly reason?: string;
  /** Its rollout goes down to this; absent: it is switched off. */
  readonly ppm?: Ppm;
  /** What SDKs were served it with: no revision below is ever served again, also after a restart from an older state. */
  readonly revision: Revision;
}

/** The kind of document that says that an override is in the log; its key is the override's id. */
export const EMERGENCY = "emergency";

/** The workspace with overrides over it: each raises its environment by one, as its commit will. Pure. */
export function overlaid(base: Workspace, overrides: readonly Override[]): Workspace {
  const streams = new Map<string, StreamRevision>();
  // One for each flag: a later override goes on from where an earlier one left it.
  const documents = new Map<string, StoredDocument>();
  for (const { project, environment, flag: key, ppm, revision: least } of overrides) {
    const state = base.projects.get(project)?.environments.get(environment);
    if (state === undefined) continue;
    const name = JSON.stringify([project, environment]);
    const revision = Math.max((streams.get(name)?.revision ?? state.revision) + 1, least);
    streams.set(name, { project, environment, revision });
    const place = JSON.stringify([project, environment, key]);
    const before = documents.get(place)?.body as unknown as Targeting | undefined;
    const targeting = before ?? state.targetings.get(key)?.body;
    if (targeting === undefined) continue;
    const flag = base.projects.get(project)?.flags.get(key)?.body;
    const body = asJson(lowered(targeting, flag, { ppm, revision }));
    documents.set(place, { kind: "targeting", project, environment, key, revision, body });
  }
  return streams.size === 0 ? base : amend(base, { streams: [...streams.values()], documents: [...documents.values()] });
}

/** Ids of the overrides that documents of the log say are in it. */
export function settledBy(documents: readonly DocumentWrite[]): string[] {
  return documents.filter(({ kind }) => kind === EMERGENCY).map(({ key }) => key);
}
