import { isUtf8 } from "node:buffer";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { ProblemError } from "../http/problem.ts";

/** A body as it arrives. */
export const EVENTS_BYTES_MAX: number = 5 * 1_048_576;
/** And once it is inflated. */
const INFLATED_BYTES_MAX = 20 * 1_048_576;

/**
 * Reads bodies of events in this part of the app: JSON, plain or gzip'd, and the same under `text/plain`, which is what a
 * browser sends while its page goes away.
 */
export function installEventBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    ["application/json", "text/plain"],
    { parseAs: "buffer" },
    async (request: FastifyRequest, body: Buffer) => parseEvents(await inflate(body, request.headers["content-encoding"])),
  );
}

const inflateGzip = promisify(gunzip);

/** Inflating ends at the bound, however little was sent for however much. */
async function inflate(body: Buffer, encoding: string | undefined): Promise<Buffer> {
  if (encoding === undefined || encoding === "identity") return body;
  if (encoding.toLowerCase() !== "gzip") {
    throw new ProblemError("unsupported_media_type", {
      received: `content-encoding: ${encoding}`,
      allowed: ["gzip", "identity"],
    });
  }
  try {
    return await inflateGzip(body, { maxOutputLength: INFLATED_BYTES_MAX });
  } catch (error) {
    const isTooLarge = (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
    throw isTooLarge
      ? new ProblemError("body_too_large", { limit: INFLATED_BYTES_MAX })
      : new ProblemError("invalid_encoding", { encoding: "gzip" });
  }
}

/** Bytes that are no UTF-8 are refused: replacing them would change what is stored. */
function parseEvents(body: Buffer): unknown {
  if (!isUtf8(body)) throw new ProblemError("invalid_json", { reason: "it is not UTF-8" });
  try {
    return JSON.parse(body.toString()) as unknown;
  } catch (error) {
    throw new ProblemError("invalid_json", { reason: error instanceof Error ? error.message.slice(0, 200) : "it is cut" });
  }
}
