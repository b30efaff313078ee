import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** A batch as it passed through, to be sent again. */
export interface RecordedBatch {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A way to the server on which acknowledgements of events get lost. */
export interface LossyDoor {
  readonly url: string;
  readonly acknowledgementsLost: () => number;
  /** The last batch that the server had stored when its acknowledgement was lost. */
  readonly lastUnacknowledged: () => RecordedBatch | undefined;
  readonly close: () => Promise<void>;
}

/**
 * Opens a door on 127.0.0.1 that passes everything to `target`, streams too, but hangs up instead of passing on every
 * `nth` acknowledgement of a batch of events: the server has stored it and the client cannot know.
 */
export async function openLossyDoor(target: string, nth: number): Promise<LossyDoor> {
  let acknowledged = 0;
  let lost = 0;
  let last: RecordedBatch | undefined;

  const losesAcknowledgement = (incoming: IncomingMessage, status: number): boolean => {
    if (incoming.url !== "/sdk/v1/events" || status !== 202) return false;
    acknowledged += 1;
    return acknowledged % nth === 0;
  };

  const pass = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const body = await buffer(incoming);
    const upstream = request(new URL(incoming.url ?? "/", target), { method: incoming.method, headers: incoming.headers });
    outgoing.on("close", () => upstream.destroy());
    upstream.on("error", () => outgoing.destroy());
    upstream.on("response", (answer) => {
      if (losesAcknowledgement(incoming, answer.statusCode ?? 0)) {
        lost += 1;
        last = { headers: incoming.headers, body };
        outgoing.destroy();
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      outgoing.flushHeaders();
      answer.pipe(outgoing);
    });
    upstream.end(body);
  };

  const server = createServer((incoming, outgoing) => {
    pass(incoming, outgoing).catch(() => outgoing.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    acknowledgementsLost: () => lost,
    lastUnacknowledged: () => last,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Sends a recorded batch to the server once more and reads the receipt. */
export async function sendAgain(
  url: string,
  { headers, body }: RecordedBatch,
): Promise<{ accepted: number; duplicates: number }> {
  const kept = ["authorization", "content-type", "content-encoding"].flatMap((name) => {
    const value = headers[name];
    return typeof value === "string" ? [[name, value] as const] : [];
  });
  const answer = await fetch(`${url}/sdk/v1/events`, {
    method: "POST",
    headers: Object.fromEntries(kept),
    body: new Uint8Array(body),
  });
  if (answer.status !== 202) throw new Error(`The batch sent again was answered ${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as { accepted: number; duplicates: number };
}
