import { createHash } from "node:crypto";
import { open, rm } from "node:fs/promises";
import { type Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { ProblemError } from "../http/problem.ts";

/** A file as it arrived, whole and on the disk. */
export interface IncomingFile {
  readonly path: string;
  readonly bytes: number;
  /** SHA-256 of its bytes, inflated, in hex: the same file is the same however it was sent. */
  readonly hash: string;
}

export interface IncomingOptions {
  /** Where to write it. */
  readonly path: string;
  readonly encoding: "gzip" | "identity";
  readonly bytesMax: number;
  /** A sender that is silent for so long is given up on. */
  readonly silenceMs: number;
}

/**
 * Writes a body to a file as it arrives.
 *
 * @throws `malformed_request` when it is cut off, `body_too_large`, `invalid_encoding`, `request_timeout`, `disk_full`;
 * nothing is left of it then.
 */
export async function receiveFile(body: Readable, options: IncomingOptions): Promise<IncomingFile> {
  const { path, encoding, bytesMax, silenceMs } = options;
  const file = await open(path, "wx", 0o600);
  const watch = setTimeout(() => meter.destroy(new ProblemError("request_timeout", { limit: silenceMs })), silenceMs);
  const meter = new Meter(bytesMax, () => watch.refresh());
  try {
    const write = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
      for await (const chunk of chunks) await file.writeFile(chunk);
    };
    if (encoding === "gzip") await pipeline(body, createGunzip(), meter, write);
    else await pipeline(body, meter, write);
    await file.sync();
    return { path, bytes: meter.bytes, hash: meter.digest() };
  } catch (error) {
    await rm(path, { force: true });
    throw problemOf(error);
  } finally {
    clearTimeout(watch);
    await file.close();
  }
}

/** Counts and hashes what goes through. */
class Meter extends Transform {
  readonly #hash = createHash("sha256");
  readonly #bytesMax: number;
  readonly #onBytes: () => void;
  bytes = 0;

  constructor(bytesMax: number, onBytes: () => void) {
    super();
    this.#bytesMax = bytesMax;
    this.#onBytes = onBytes;
  }

  digest(): string {
    return this.#hash.digest("hex");
  }

  override _transform(chunk: Buffer, _: string, done: (error: Error | null, chunk?: Buffer) => void): void {
    this.bytes += chunk.length;
    this.#onBytes();
    this.#hash.update(chunk);
    if (this.bytes > this.#bytesMax) done(new ProblemError("body_too_large", { limit: this.#bytesMax }));
    else done(null, chunk);
  }
}

function problemOf(error: unknown): unknown {
  if (error instanceof ProblemError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (code === "ENOSPC" || code === "EDQUOT") return new ProblemError("disk_full", { what: "the file", retryAfterS: 60 });
  if (code.startsWith("Z_")) return new ProblemError("invalid_encoding", { encoding: "gzip" });
  if (CUT_OFF.has(code)) return new ProblemError("malformed_request", { reason: "its body was cut off" });
  return error;
}

const CUT_OFF: ReadonlySet<string> = new Set(["ECONNRESET", "ERR_STREAM_PREMATURE_CLOSE", "ABORT_ERR"]);
