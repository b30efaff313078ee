/*
 * What comes from a server, a disk or an application, read before it is believed. Only the envelope is checked here:
 * what is wrong inside one flag is the compiler's business and costs that flag alone.
 */
import type { Snapshot } from "@belay/protocol";
import { isSnapshot, isSnapshotChange } from "../snapshot-shape.ts";
import { retryAfterMs } from "./backoff.ts";
import type { Failure, SyncEvent } from "./sync.ts";

/** The snapshot in a text, or why it is none. */
export function readSnapshot(text: string): Snapshot | string {
  return checkSnapshot(parse(text));
}

/** A value from the application or a file as a snapshot, or why it is none. */
export function checkSnapshot(document: unknown): Snapshot | string {
  return isSnapshot(document) ? document : misfit(document);
}

/** One message of the stream as an event of the machine; a message of a kind not known here means nothing. */
export function readMessage(name: string | undefined, data: string): SyncEvent | undefined {
  if (name !== "snapshot" && name !== "change") return undefined;
  const document = parse(data);
  if (name === "snapshot" && isSnapshot(document)) return { on: "snapshot", snapshot: document };
  if (name === "change" && isSnapshotChange(document)) return { on: "change", change: document };
  return unusable(`a ${name} of the stream ${misfit(document)}`);
}

/** Fifteen digits are exact as a number. */
const HEARTBEAT_TEXT = /^ ?revision (\d{1,15})$/;

/** A comment of the stream: a heartbeat that names the revision, as an event of the machine; any other means nothing. */
export function readComment(text: string): SyncEvent | undefined {
  const revision = HEARTBEAT_TEXT.exec(text)?.[1];
  return revision === undefined ? undefined : { on: "heartbeat", revision: Number(revision) };
}

/** What an answer other than the wanted one means for the machine. */
export function failureOfStatus(status: number, retryAfter: string | undefined, nowMs: number): Failure {
  const detail = `the server answered ${status}`;
  const askedMs = retryAfterMs(retryAfter, nowMs);
  if (status === 401 || status === 403)
    return { kind: "refused", detail: `${detail}: is the SDK key right?`, retryAfterMs: askedMs };
  const isAbsent = status === 404 || status === 405 || status === 406 || status === 501;
  return { kind: isAbsent ? "absent" : "status", detail, retryAfterMs: askedMs };
}

export function unusable(detail: string): { on: "failed"; failure: Failure } {
  return { on: "failed", failure: { kind: "unusable", detail } };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function misfit(document: unknown): string {
  if (document === undefined) return "is not JSON";
  const format = (document as { format?: unknown } | null)?.format;
  return typeof format === "number" && format !== 1
    ? `has format ${format}, which this version does not read`
    : "has not the form of one";
}
