import { type FileHandle, open } from "node:fs/promises";

/** One file of the spool, written at its end only. */
export class SegmentFile {
  readonly path: string;
  readonly #file: FileHandle;
  #bytes = 0;

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  /** Makes the file; its name is on the disk when this resolves. */
  static async create(directory: string, path: string): Promise<SegmentFile> {
    const file = await open(path, "wx", 0o600);
    try {
      await syncDirectory(directory);
    } catch (error) {
      await file.close();
      throw error;
    }
    return new SegmentFile(path, file);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Writes and syncs. When that fails the file is cut back to where it was, and the error is thrown. */
  async append(buffers: readonly Uint8Array[]): Promise<void> {
    const before = this.#bytes;
    try {
      this.#bytes += await writeAll(this.#file, buffers, before);
      await this.#file.datasync();
    } catch (error) {
      this.#bytes = before;
      await this.#cutBack(before, error);
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /** After a failed sync the kernel may hold anything: only a cut that is itself synced says what is there. */
  async #cutBack(bytes: number, cause: unknown): Promise<void> {
    try {
      await this.#file.truncate(bytes);
      await this.#file.sync();
    } catch {
      throw new UncertainSegment(this.path, cause);
    }
  }
}

/** Whether the last frames of a segment are on the disk cannot be told: nothing may be added until it was read again. */
export class UncertainSegment extends Error {
  constructor(path: string, cause: unknown) {
    super(`what was written last to ${path} could not be taken back`, { cause });
    this.name = "UncertainSegment";
  }
}

/** Makes the names in a folder durable: a file whose name was not synced is gone after a power cut, content and all. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** A write may take only a part of what it was given; a full disk shows at the second attempt. */
async function writeAll(file: FileHandle, buffers: readonly Uint8Array[], position: number): Promise<number> {
  const length = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
  const { bytesWritten } = await file.writev(buffers as Uint8Array[], position);
  if (bytesWritten === length) return length;
  const rest = Buffer.concat(buffers).subarray(bytesWritten);
  for (let at = 0; at < rest.length; )
    at += (await file.write(rest, at, rest.length - at, position + bytesWritten + at)).bytesWritten;
  return length;
}
