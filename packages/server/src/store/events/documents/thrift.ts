/*
 * Thrift's compact protocol, as far as the footer of a Parquet file needs it: structs are read into maps by field number,
 * so that fields nobody here knows come out as they went in.
 */

/** A struct by field number. The type is Thrift's own code for what the field holds. */
export type ThriftStruct = Map<number, ThriftField>;

export interface ThriftField {
  readonly type: number;
  readonly value: ThriftValue;
}

export interface ThriftList {
  readonly of: number;
  /** Structs may be given as the bytes they were written as. */
  readonly items: readonly ThriftValue[];
}

export type ThriftValue = boolean | bigint | Uint8Array | ThriftList | ThriftStruct;

export const THRIFT: {
  readonly true: 1;
  readonly false: 2;
  readonly byte: 3;
  readonly i16: 4;
  readonly i32: 5;
  readonly i64: 6;
  readonly double: 7;
  readonly binary: 8;
  readonly list: 9;
  readonly set: 10;
  readonly struct: 12;
} = { true: 1, false: 2, byte: 3, i16: 4, i32: 5, i64: 6, double: 7, binary: 8, list: 9, set: 10, struct: 12 };

/** @throws RangeError when the bytes end too soon or hold a type that Parquet does not use. */
export function readStruct(bytes: Uint8Array): ThriftStruct {
  return new Reader(bytes).struct();
}

export function writeStruct(struct: ThriftStruct): Uint8Array {
  const writer = new Writer();
  writer.struct(struct);
  return writer.end();
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  struct(): ThriftStruct {
    const fields: ThriftStruct = new Map();
    for (let id = 0; ; ) {
      const head = this.#byte();
      if (head === 0) return fields;
      const type = head & 15;
      id = head >> 4 === 0 ? Number(this.#zigzag()) : id + (head >> 4);
      fields.set(id, { type, value: this.#value(type) });
    }
  }

  #value(type: number): ThriftValue {
    if (type === THRIFT.true || type === THRIFT.false) return type === THRIFT.true;
    if (type === THRIFT.byte) return BigInt(this.#byte());
    if (type === THRIFT.i16 || type === THRIFT.i32 || type === THRIFT.i64) return this.#zigzag();
    if (type === THRIFT.double) return this.#take(8);
    if (type === THRIFT.binary) return this.#take(Number(this.#varint()));
    if (type === THRIFT.list || type === THRIFT.set) return this.#list();
    if (type === THRIFT.struct) return this.struct();
    throw new RangeError(`Thrift type ${type} has no place in Parquet`);
  }

  #list(): ThriftList {
    const head = this.#byte();
    const of = head & 15;
    const length = head >> 4 === 15 ? Number(this.#varint()) : head >> 4;
    // Inside a list a truth value is a byte of its own; in a field it is the type.
    const isTruth = of === THRIFT.true || of === THRIFT.false;
    const items: ThriftValue[] = [];
    for (let index = 0; index < length; index += 1) items.push(isTruth ? this.#byte() === THRIFT.true : this.#value(of));
    return { of, items };
  }

  #zigzag(): bigint {
    const raw = this.#varint();
    return (raw >> 1n) ^ -(raw & 1n);
  }

  #varint(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new RangeError("Thrift bytes end too soon");
    this.#at += 1;
    return byte;
  }

  #take(length: number): Uint8Array {
    if (this.#at + length > this.#bytes.length) throw new RangeError("Thrift bytes end too soon");
    this.#at += length;
    return this.#bytes.slice(this.#at - length, this.#at);
  }
}

class Writer {
  readonly #pieces: Uint8Array[] = [];
  #small: number[] = [];

  struct(struct: ThriftStruct): void {
    let last = 0;
    for (const [id, { type, value }] of struct) {
      const code = typeof value === "boolean" ? (value ? THRIFT.true : THRIFT.false) : type;
      const step = id - last;
      if (step > 0 && step < 16) this.#small.push((step << 4) | code);
      else {
        this.#small.push(code);
        this.#zigzag(BigInt(id));
      }
      if (typeof value !== "boolean") this.#value(type, value);
      last = id;
    }
    this.#small.push(0);
  }

  end(): Uint8Array {
    this.#flush();
    return Buffer.concat(this.#pieces);
  }

  #value(type: number, value: ThriftValue): void {
    if (typeof value === "boolean") this.#small.push(value ? THRIFT.true : THRIFT.false);
    else if (typeof value === "bigint") this.#whole(type, value);
    else if (value instanceof Uint8Array) this.#bytes(type, value);
    else if (value instanceof Map) this.struct(value);
    else this.#list(value);
  }

  #whole(type: number, value: bigint): void {
    if (type === THRIFT.byte) this.#small.push(Number(value));
    else this.#zigzag(value);
  }

  #bytes(type: number, value: Uint8Array): void {
    if (type === THRIFT.binary) this.#varint(BigInt(value.length));
    this.#flush();
    this.#pieces.push(value);
  }

  #list({ of, items }: ThriftList): void {
    if (items.length < 15) this.#small.push((items.length << 4) | of);
    else {
      this.#small.push(0xf0 | of);
      this.#varint(BigInt(items.length));
    }
    for (const item of items) this.#value(of, item);
  }

  #zigzag(value: bigint): void {
    this.#varint(BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)));
  }

  #varint(value: bigint): void {
    let rest = value;
    for (; rest > 127n; rest >>= 7n) this.#small.push(Number(rest & 127n) | 128);
    this.#small.push(Number(rest));
  }

  #flush(): void {
    if (this.#small.length > 0) this.#pieces.push(Uint8Array.from(this.#small));
    this.#small = [];
  }
}
