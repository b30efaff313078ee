import fc from "fast-check";
import { expect, test } from "vitest";
import { readStruct, THRIFT, type ThriftField, type ThriftStruct, type ThriftValue, writeStruct } from "./thrift.ts";

const whole = (bits: bigint): fc.Arbitrary<bigint> => fc.bigInt({ min: -(1n << (bits - 1n)), max: (1n << (bits - 1n)) - 1n });

const { struct } = fc.letrec<{ struct: ThriftStruct; field: ThriftField; value: ThriftField }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.boolean().map((value): ThriftField => ({ type: value ? THRIFT.true : THRIFT.false, value })),
    whole(16n).map((value): ThriftField => ({ type: THRIFT.i16, value })),
    whole(64n).map((value): ThriftField => ({ type: THRIFT.i64, value })),
    fc.uint8Array({ minLength: 8, maxLength: 8 }).map((value): ThriftField => ({ type: THRIFT.double, value })),
    fc.uint8Array({ maxLength: 300 }).map((value): ThriftField => ({ type: THRIFT.binary, value })),
    fc
      .array(whole(32n), { maxLength: 40 })
      .map((items): ThriftField => ({ type: THRIFT.list, value: { of: THRIFT.i32, items } })),
    fc
      .array(fc.boolean(), { maxLength: 3 })
      .map((items): ThriftField => ({ type: THRIFT.list, value: { of: THRIFT.true, items } })),
    tie("struct").map((value): ThriftField => ({ type: THRIFT.struct, value })),
  ),
  field: tie("value"),
  struct: fc
    .uniqueArray(fc.tuple(fc.integer({ min: 1, max: 400 }), tie("field")), { selector: ([id]) => id, maxLength: 6 })
    .map((fields): ThriftStruct => new Map(fields.toSorted(([a], [b]) => a - b))),
}));

/** Without the difference between a Buffer and a Uint8Array. */
const plain = (value: ThriftValue): unknown => {
  if (value instanceof Uint8Array) return [...value];
  if (value instanceof Map) return [...value].map(([id, field]) => [id, field.type, plain(field.value)]);
  if (typeof value === "object") return [value.of, value.items.map(plain)];
  return value;
};

test("what is written is read again: 500 structs of any shape", () => {
  fc.assert(
    fc.property(struct, (written) => {
      expect(plain(readStruct(writeStruct(written)))).toEqual(plain(written));
    }),
    { numRuns: 500 },
  );
});

test("structs given as bytes come out as structs, and bytes cut anywhere are refused", () => {
  const inner: ThriftStruct = new Map([[1, { type: THRIFT.i64, value: -5n }]]);
  const outer: ThriftStruct = new Map([[4, { type: THRIFT.list, value: { of: THRIFT.struct, items: [writeStruct(inner)] } }]]);
  const bytes = writeStruct(outer);
  expect(plain(readStruct(bytes))).toEqual([[4, THRIFT.list, [THRIFT.struct, [[[1, THRIFT.i64, -5n]]]]]]);
  for (let length = 0; length < bytes.length; length += 1) {
    expect(() => readStruct(bytes.subarray(0, length))).toThrow(RangeError);
  }
});
