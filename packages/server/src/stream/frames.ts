import type { Json, Revision, SnapshotChange } from "@belay/protocol";

/*
 * Server-sent events, already in the chunks of HTTP/1.1: encoded once and written to every socket as they are.
 */

/** The whole snapshot; `text` is its JSON. */
export function snapshotFrame(revision: Revision, text: string): Buffer {
  return chunk(`event: snapshot\nid: ${revision}\ndata: ${text}\n\n`);
}

/** What one revision changed. */
export function changeFrame(change: SnapshotChange): Buffer {
  return chunk(`event: change\nid: ${change.revision}\ndata: ${JSON.stringify(change as unknown as Json)}\n\n`);
}

/** An event that is no revision: who comes back does not go on from it. */
export function eventFrame(name: string, text: string): Buffer {
  return chunk(`event: ${name}\ndata: ${text}\n\n`);
}

/** An event of the standard name, as `EventSource` hands it to `onmessage`. */
export function messageFrame(revision: Revision, text: string): Buffer {
  return chunk(`event: message\nid: ${revision}\ndata: ${text}\n\n`);
}

/** How long a client is to wait before it connects again. */
export function retryFrame(ms: number): Buffer {
  return chunk(`retry: ${ms}\n\n`);
}

/**
 * Says that the connection lives, and which revision everything sent before adds up to: who holds a lower one has lost a
 * change. A comment and not an event: every reader of server-sent events must ignore it, also those that take any event
 * for news.
 */
export function heartbeatFrame(revision: Revision): Buffer {
  return chunk(`: revision ${revision}\n\n`);
}

/** The end of a chunked body. */
export const LAST_CHUNK: Buffer = Buffer.from("0\r\n\r\n");

function chunk(text: string): Buffer {
  return Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
}
