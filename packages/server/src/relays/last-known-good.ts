/*
 * What a relay starts from while its upstream is away: one file with all of it, and beside it what changed since, a line
 * each. A line is written before what it says is served, so that a relay that was killed serves no revision below one it
 * served. Lines are not synced: after a power cut the last ones may be missing.
 */
import { appendFileSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { applyToSnapshot, isSnapshot, isSnapshotChange } from "@belay/core";
import type { Json, RelayBrief, Snapshot, SnapshotChange } from "@belay/protocol";
import { encodeFrame, scanFrames } from "../store/events/spool/frame.ts";
import { readSummed, writeSummedNow } from "../store/summed-file.ts";

export interface Known {
  readonly brief: RelayBrief;
  readonly snapshot: Snapshot;
}

/** What changed since the whole. */
type Line = { readonly brief: RelayBrief } | { readonly change: SnapshotChange };

/** Beyond so many bytes of lines the whole is written again. */
const LINES_BYTES_MAX = 4 * 1_048_576;

export class LastKnownGood {
  readonly #whole: string;
  readonly #lines: string;
  /** Rises with each whole: lines of an earlier one mean nothing. */
  #generation: number;
  #bytes = Number.POSITIVE_INFINITY;

  private constructor(directory: string, generation: number) {
    this.#whole = join(directory, "last-known-good.json");
    this.#lines = join(directory, "last-known-good.lines");
    this.#generation = generation;
  }

  /** What a folder holds; nothing where the file is not there, cut or edited. */
  static async open(directory: string): Promise<{ readonly file: LastKnownGood; readonly known: Known | undefined }> {
    const kept = (await readSummed(join(directory, "last-known-good.json"))) as
      | Partial<Known & { generation: number }>
      | undefined;
    const file = new LastKnownGood(directory, kept?.generation ?? 0);
    const { brief, snapshot } = kept ?? {};
    if (brief === undefined || !isSnapshot(snapshot)) return { file, known: undefined };
    return { file, known: file.#readLines().reduce(advance, { brief, snapshot }) };
  }

  /** Keeps all of it. @throws what the disk says */
  keep(known: Known): void {
    this.#generation += 1;
    writeSummedNow(this.#whole, { generation: this.#generation, ...known });
    rmSync(this.#lines, { force: true });
    this.#bytes = 0;
  }

  /** Keeps one change of what was kept, which then adds up to `known`. @throws what the disk says */
  add(line: Line, known: Known): void {
    if (this.#bytes > LINES_BYTES_MAX) {
      this.keep(known);
      return;
    }
    const frame = encodeFrame(JSON.stringify({ generation: this.#generation, ...line } as unknown as Json));
    appendFileSync(this.#lines, frame, { mode: 0o600 });
    this.#bytes += frame.length;
  }

  #readLines(): Line[] {
    const { payloads } = scanFrames(bytesOf(this.#lines));
    const lines = payloads.map(
      (payload) => JSON.parse(Buffer.from(payload).toString()) as Line & { readonly generation: number },
    );
    return lines.filter(({ generation }) => generation === this.#generation);
  }
}

/** A line that does not fit what is known so far comes after one that is missing. */
function advance(known: Known, line: Line): Known {
  if ("brief" in line) return { ...known, brief: line.brief };
  const fits = isSnapshotChange(line.change) && line.change.from === known.snapshot.revision;
  return fits ? { ...known, snapshot: applyToSnapshot(known.snapshot, line.change) } : known;
}

function bytesOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}
