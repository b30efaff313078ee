/*
 * Parquet files laid end to end: each brings its row groups, and the offsets in its footer are moved to where its bytes
 * came to lie. So a file of any length is written as it is read, and neither side ever holds it.
 *
 *   PAR1 │ row groups of page 1 │ row groups of page 2 │ … │ one footer for all │ its length │ PAR1
 */
import type { Joiner } from "./joiner.ts";
import { readStruct, THRIFT, type ThriftField, type ThriftList, type ThriftStruct, writeStruct } from "./thrift.ts";

/** Joins whole Parquet files of one schema. Of each only its row groups' descriptions are kept, about 3 kB. */
export class ParquetJoiner implements Joiner {
  readonly #groups: Uint8Array[] = [];
  #footer: ThriftStruct | undefined;
  #rows = 0n;
  #written = MAGIC.length;

  add(file: Uint8Array): readonly Uint8Array[] {
    const end = dataEndOf(file);
    const footer = readStruct(file.subarray(end, file.length - TAIL));
    const shift = BigInt(this.#written - MAGIC.length);
    for (const group of listOf(footer.get(FILE.rowGroups)).items) this.#addGroup(group as ThriftStruct, shift);
    const data = file.subarray(MAGIC.length, end);
    this.#written += data.length;
    if (this.#footer !== undefined) return [data];
    this.#footer = footer;
    return [MAGIC, data];
  }

  end(): readonly Uint8Array[] {
    if (this.#footer === undefined) return [];
    const footer = new Map(this.#footer)
      .set(FILE.rows, { type: THRIFT.i64, value: this.#rows })
      .set(FILE.rowGroups, { type: THRIFT.list, value: { of: THRIFT.struct, items: this.#groups } });
    const bytes = writeStruct(footer);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    return [bytes, length, MAGIC];
  }

  #addGroup(group: ThriftStruct, shift: bigint): void {
    this.#rows += wholeOf(group.get(GROUP.rows));
    move(group, [GROUP.offset], shift);
    for (const chunk of listOf(group.get(GROUP.columns)).items as ThriftStruct[]) {
      move(chunk, CHUNK_OFFSETS, shift);
      const metadata = chunk.get(CHUNK_METADATA)?.value;
      if (metadata instanceof Map) move(metadata, METADATA_OFFSETS, shift);
    }
    // An optional field of 16 bits: left out, since a long pull has more groups than it can count.
    group.delete(GROUP.ordinal);
    this.#groups.push(writeStruct(group));
  }
}

const MAGIC: Uint8Array = Buffer.from("PAR1");
/** The footer's length and the magic at the very end. */
const TAIL = 8;

/* Field numbers of the format's Thrift definition. */
const FILE = { rows: 3, rowGroups: 4 } as const;
const GROUP = { columns: 1, rows: 3, offset: 5, ordinal: 7 } as const;
/** Of the chunk, its offset index and its column index. */
const CHUNK_OFFSETS: readonly number[] = [2, 4, 6];
const CHUNK_METADATA = 3;
/** Of data pages, index pages, the dictionary page and the Bloom filter. */
const METADATA_OFFSETS: readonly number[] = [9, 10, 11, 14];

function dataEndOf(file: Uint8Array): number {
  const tail = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  return file.length - TAIL - tail.readUInt32LE(file.length - TAIL);
}

function move(struct: ThriftStruct, fields: readonly number[], shift: bigint): void {
  for (const id of fields) {
    const field = struct.get(id);
    // Nothing lies at 0: writers put it where an offset is not given.
    if (field !== undefined && wholeOf(field) > 0n) struct.set(id, { type: field.type, value: wholeOf(field) + shift });
  }
}

function wholeOf(field: ThriftField | undefined): bigint {
  return typeof field?.value === "bigint" ? field.value : 0n;
}

function listOf(field: ThriftField | undefined): ThriftList {
  return (field?.value as ThriftList | undefined) ?? { of: THRIFT.struct, items: [] };
}
