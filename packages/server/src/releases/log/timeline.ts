/*
 * What the change log says of a release: its moves, and the share that got the variant from when to when. Pure.
 *
 *   changes of the release ─┐
 *                           ├─ in order ─> moves, shares, the release as it stood
 *   changes of its flag ────┘
 */
import type { ReleaseMove, ReleaseState, Targeting } from "@belay/protocol";
import type { ReleaseDocument } from "../../state/workspace.ts";
import type { StoredChange } from "../../store/changes/index.ts";
import { exposedPpm } from "../exposure.ts";
import { isLive } from "../states.ts";

/** From then on so many percent got the variant. */
export interface Share {
  readonly from: string;
  readonly percentage: number;
  readonly change: number;
}

export interface Told {
  readonly moves: readonly ReleaseMove[];
  readonly shares: readonly Share[];
  /** The release after each of its own changes, with the change. */
  readonly versions: readonly Version[];
}

export interface Version {
  readonly change: StoredChange;
  readonly body: ReleaseDocument;
}

/** @param changes of the release and of its flag, in any order */
export function timelineOf(changes: readonly StoredChange[]): Told {
  const moves: ReleaseMove[] = [];
  const shares: Share[] = [];
  const versions: Version[] = [];
  for (const change of [...changes].sort((a, b) => a.id - b.id)) {
    const before = versions.at(-1)?.body;
    const body = versionOf(change);
    if (body === undefined && !isOfFlagWhileLive(change, before)) {
      if (change.target.kind === "release") moves.push(moveOf(change));
      continue;
    }
    moves.push(moveOf(change, body, before));
    const percentage = body === undefined ? percentageByHand(change, before) : percentageAfter(before, body);
    const present = shares.at(-1)?.percentage ?? 0;
    if (percentage !== undefined && percentage !== present) shares.push({ from: iso(change.at), percentage, change: change.id });
    if (body !== undefined) versions.push({ change, body });
  }
  return { moves, shares, versions };
}

/** The state of a release at a moment that a change made; `undefined`: the change was of something else. */
function versionOf({ target, action, after }: StoredChange): ReleaseDocument | undefined {
  const isOther = target.kind !== "release" || action.startsWith("release.trigger.") || after === undefined;
  return isOther ? undefined : (after as unknown as ReleaseDocument);
}

function isOfFlagWhileLive({ target }: StoredChange, release: ReleaseDocument | undefined): boolean {
  return target.kind === "flag" && release !== undefined && isLive(release.state);
}

/** Reasons are told where they are new: those of before stand until something else happens. */
function moveOf(change: StoredChange, body?: ReleaseDocument, before?: ReleaseDocument): ReleaseMove {
  const { id, at, actor, action, reason } = change;
  return {
    change: id,
    at: iso(at),
    by: actor.name,
    action,
    ...(reason === undefined ? {} : { reason }),
    ...(body === undefined ? {} : { state: body.state, ...(body.stage === undefined ? {} : { stage: body.stage }) }),
    because: isSameAs(body?.reasons, before?.reasons) ? [] : (body?.reasons ?? []),
  };
}

function isSameAs(reasons: ReleaseDocument["reasons"] | undefined, others: ReleaseDocument["reasons"] | undefined): boolean {
  return JSON.stringify(reasons) === JSON.stringify(others);
}

/** Going back takes everything away; else the share moves only where a new stretch began. */
function percentageAfter(before: ReleaseDocument | undefined, after: ReleaseDocument): number | undefined {
  if (GONE.includes(after.state)) return 0;
  const isNew = after.epochs.length > (before?.epochs.length ?? 0);
  return isNew ? after.epochs.at(-1)?.percentage : undefined;
}

const GONE: readonly ReleaseState[] = ["rolling-back", "rolled-back", "aborted"];

function percentageByHand({ after }: StoredChange, release: ReleaseDocument | undefined): number | undefined {
  const targeting = after as unknown as Targeting | undefined;
  // What is no targeting (a name, an owner) moves nobody.
  if (targeting?.rules === undefined || release === undefined) return undefined;
  return exposedPpm(targeting, release) / 10_000;
}

const iso = (at: number): string => new Date(at).toISOString();
