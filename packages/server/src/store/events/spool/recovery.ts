/* What a start finds in a spool folder: segments that wait to be loaded, and what was received so far. */
import { randomBytes } from "node:crypto";
import { copyFile, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { type Received, ReceivedSum, type Remembered } from "../received.ts";
import { type BatchFrame, rememberedOf, seqsOf } from "./batch-frame.ts";
import { encodeFrame, scanFrames } from "./frame.ts";
import { Journal, type JournalEntry } from "./journal.ts";
import { SegmentFile, syncDirectory } from "./segment-file.ts";

/** A segment that grows no more. */
export interface SpoolSegment {
  /** Id of the spool; with it the number is unique for ever. */
  readonly spool: string;
  readonly number: number;
  readonly path: string;
  readonly bytes: number;
  /** When its first event was acknowledged. */
  readonly sinceMs: number;
  /** What the journal does not have of it yet; it may not be dropped before. */
  unjournalled: readonly Remembered[] | undefined;
  /** The first arrival number given out after it was sealed. */
  readonly position: number;
  /** False for a segment of an earlier process that was not read again: its checksums are still to be looked at. */
  isChecked: boolean;
}

export interface Found {
  readonly id: string;
  readonly journal: Journal;
  readonly segments: readonly SpoolSegment[];
  readonly lastSegment: number;
  readonly position: number;
}

/** Reads the journal, then the frames it does not cover; a folder that is not there is made. */
export async function recoverSpool(directory: string, received: Received, now: () => number): Promise<Found> {
  await makeFolder(directory);
  const { journal, head } = await openJournal(directory, received);
  const segments: SpoolSegment[] = [];
  let { position } = head;
  for (const number of await segmentNumbers(directory)) {
    const path = segmentPath(directory, number);
    const common = { spool: head.spool, number, path };
    if (number <= head.segment) {
      segments.push({
        ...common,
        bytes: (await stat(path)).size,
        sinceMs: now(),
        unjournalled: undefined,
        position,
        isChecked: false,
      });
      continue;
    }
    const { frames, bytes } = await readSegment(directory, path);
    if (frames.length === 0) {
      await rm(path);
      continue;
    }
    const sum = new ReceivedSum();
    for (const frame of frames) {
      sum.add(rememberedOf(frame));
      position = Math.max(position, frame.position + seqsOf(frame).length);
    }
    const unjournalled = sum.entries();
    for (const entry of unjournalled) received.restore(entry);
    segments.push({ ...common, bytes, sinceMs: frames[0]?.receivedAtMs ?? now(), unjournalled, position, isChecked: true });
  }
  return { id: head.spool, journal, segments, lastSegment: Math.max(head.segment, segments.at(-1)?.number ?? 0), position };
}

/** Makes a folder and those above it; their names are on the disk when this resolves. */
async function makeFolder(directory: string): Promise<void> {
  const first = await mkdir(directory, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  const steps = relative(dirname(first), directory).split(sep);
  for (let depth = 0; depth < steps.length; depth += 1) await syncDirectory(join(dirname(first), ...steps.slice(0, depth)));
}

/** The whole frames of a segment. A torn end is cut off; lines the disk damaged are set aside in a copy of the file. */
export async function readSegment(
  directory: string,
  path: string,
): Promise<{ frames: BatchFrame[]; bytes: number; damagedLines: number }> {
  const content = await readFile(path);
  const { payloads, wholeBytes, damagedLines } = scanFrames(content);
  const texts = payloads.map((payload) => Buffer.from(payload).toString());
  let bytes = wholeBytes;
  if (damagedLines > 0) bytes = await replaceSegment(directory, path, texts);
  else if (wholeBytes < content.length) await cutOff(path, wholeBytes);
  return { frames: texts.map((text) => JSON.parse(text) as BatchFrame), bytes, damagedLines };
}

export function segmentPath(directory: string, number: number): string {
  return join(directory, `${String(number).padStart(12, "0")}.ndjson`);
}

const SEGMENT_NAME = /^(\d{12})\.ndjson$/;

async function segmentNumbers(directory: string): Promise<number[]> {
  const numbers = (await readdir(directory)).flatMap((name) => SEGMENT_NAME.exec(name)?.[1] ?? []).map(Number);
  return numbers.sort((one, other) => one - other);
}

async function openJournal(directory: string, received: Received): Promise<{ journal: Journal; head: JournalEntry }> {
  let head: JournalEntry | undefined;
  const journal = await Journal.open(directory, (entry) => {
    head = entry;
    for (const instance of entry.instances) received.restore(instance);
  });
  if (head !== undefined) return { journal, head };
  const first: JournalEntry = { spool: randomBytes(8).toString("hex"), segment: 0, position: 1, instances: [] };
  await journal.add([first]);
  return { journal, head: first };
}

async function cutOff(path: string, bytes: number): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.truncate(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The damaged file stays beside as `<name>.damaged`, for people. */
async function replaceSegment(directory: string, path: string, payloads: readonly string[]): Promise<number> {
  await copyFile(path, `${path}.damaged`);
  await rm(`${path}.new`, { force: true });
  const repaired = await SegmentFile.create(directory, `${path}.new`);
  await repaired.append(payloads.map(encodeFrame));
  await repaired.close();
  await rename(`${path}.new`, path);
  await syncDirectory(directory);
  return repaired.bytes;
}
