import { createHash } from "node:crypto";
import { canonicalJson } from "@belay/core";
import { asJson } from "../control/decision.ts";
import type { ImportPlan } from "./plan.ts";

/**
 * Where an import is:
 *
 *   waiting ─> checking ─> reading ─> finished
 *      └───────────┴──────────┴─────> failed, cancelled        sent again: waiting, after the last row it had read
 *
 * and elsewhere, at servers that have not its file.
 */
export type ImportState = "waiting" | "checking" | "reading" | "finished" | "failed" | "cancelled" | "elsewhere";

/** What an import is, and how far it came. */
export interface ImportRecord {
  readonly id: string;
  readonly project: string;
  readonly environment: string;
  readonly plan: ImportPlan;
  readonly bytes: number;
  readonly createdAtMs: number;
  readonly endedAtMs?: number;
  readonly state: ImportState;
  /** Rows of the file; absent until it was checked. */
  readonly rowsTotal?: number;
  /** Rows read, those of them that are stored, and those that are not fit to be. */
  readonly rows: number;
  readonly accepted: number;
  readonly rejected: number;
  /** Number of the last row read. */
  readonly through: number;
  /** Rejected rows that are in their file, and its length. */
  readonly rejectedKept: number;
  readonly rejectedBytes: number;
  /** Why it failed, or what it waits for. */
  readonly fault?: string;
  /** Its end was told to the other servers. */
  readonly isTold?: boolean;
}

/** What names an import: the same file under the same plan, into the same environment, is the same import for ever. */
export function importId(of: Pick<ImportRecord, "project" | "environment" | "plan"> & { readonly hash: string }): string {
  const { project, environment, plan, hash } = of;
  return createHash("sha256")
    .update(canonicalJson(asJson([project, environment, plan, hash])))
    .digest("hex")
    .slice(0, 32);
}

/** What its events have as their instance. */
export function instanceOf({ id }: Pick<ImportRecord, "id">): string {
  return `import-${id}`;
}

export function hasEnded({ state }: Pick<ImportRecord, "state">): boolean {
  return state === "finished" || state === "failed" || state === "cancelled";
}
