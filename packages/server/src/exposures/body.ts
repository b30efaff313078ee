import { isUtf8 } from "node:buffer";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { unpack } from "@belay/core";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { ProblemError } from "../http/problem.ts";

/** A body as it arrives. */
export const EVENTS_BYTES_MAX: number = 5 * 1_048_576;
/** And once it is inflated. */
const INFLATED_BYTES_MAX = 20 * 1_048_576;
/** And once it is unpacked: before its key is known, so no more than several times what a page sends at once. */
const UNPACKED_BYTES_MAX = 262_144;

/**
 * Reads bodies of events in this part of the app: JSON, plain or gzip'd, and the same under `text/plain`, which is what a
 * browser sends while its page goes away, packed where the type says `lzw=1`.
 */
export function installEventBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    ["application/json", "text/plain"],
    { parseAs: "buffer" },
    async ({ headers }: FastifyRequest, body: Buffer) =>
      parseEvents(isPacked(headers["content-type"]) ? unpacked(body) : await inflate(body, headers["content-encoding"])),
  );
}

function isPacked(type: string | undefined): boolean {
  return type !== undefined && /^text\/plain;\s*lzw=1$/i.test(type);
}

function unpacked(body: Buffer): Buffer {
  const bytes = unpack(body, UNPACKED_BYTES_MAX);
  if (bytes === undefined) throw new ProblemError("invalid_encoding", { encoding: "lzw" });
  return Buffer.from(bytes.buffer);
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
