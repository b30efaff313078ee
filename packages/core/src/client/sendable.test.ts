import { EVENT_LIMITS } from "@belay/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SENDABLE, sendable, sendableAttributes } from "./sendable.ts";

const circular: Record<string, unknown> = { plan: "pro" };
circular["self"] = circular;

const hostile = new Proxy(
  {},
  {
    ownKeys: () => {
      throw new TypeError("no");
    },
  },
);

describe("the bounds", () => {
  it("are within those of the server", () => {
    expect(SENDABLE.unitLength).toBe(EVENT_LIMITS.unitLength);
    expect(SENDABLE.nameLength).toBe(EVENT_LIMITS.nameLength);
    expect(SENDABLE.length).toBe(EVENT_LIMITS.attributesLength);
    expect(SENDABLE.depth).toBeLessThan(EVENT_LIMITS.attributesDepth);
  });
});

describe("values that cannot be sent", () => {
  it.each([
    ["a cycle", circular, { plan: "pro" }, ["self: circular"]],
    ["a BigInt", { big: 1n, n: 1 }, { n: 1 }, ["big: bigint"]],
    ["an invalid date", { at: new Date(Number.NaN) }, {}, ["at: invalid date"]],
    ["a date", { at: new Date(0) }, { at: "1970-01-01T00:00:00.000Z" }, []],
    ["undefined", { gone: undefined, here: null }, { here: null }, []],
    ["no number", { a: Number.NaN, b: Number.POSITIVE_INFINITY, c: 0 }, { c: 0 }, ["a: NaN", "b: Infinity"]],
    ["a function and a symbol", { f: () => 1, s: Symbol("s") }, {}, ["f: function", "s: symbol"]],
    ["a list with a hole", { list: [1, () => 1, 3] }, { list: [1, null, 3] }, ["list[1]: function"]],
    ["too deep", { a: { b: { c: { d: { e: 1 } } } } }, { a: { b: { c: {} } } }, ["a.b.c.d: deeper than 4"]],
  ])("%s is left out with its path and reason, the rest is sent", (_name, value, json, leftOut) => {
    const result = sendable(value);
    expect(typeof result === "string" ? result : { json: { ...result.json }, leftOut: result.leftOut }).toEqual({
      json,
      leftOut,
    });
  });

  it("cuts a text of a megabyte to 1,024 characters", () => {
    const result = sendable({ text: "x".repeat(1_048_576) });
    expect(result).toMatchObject({ leftOut: ["text: cut to 1024 characters"] });
    expect(typeof result === "string" ? result : result.json["text"]).toHaveLength(1_024);
  });

  it.each([
    ["a list", [], "it is no object"],
    ["null", null, "it is no object"],
    ["a text", "x", "it is no object"],
    ["what throws when it is read", hostile, "reading it threw (TypeError)"],
    [
      "what is too large altogether",
      Object.fromEntries(Array.from({ length: 60 }, (_, n) => [n, "x".repeat(1_000)])),
      "it is over 16384 characters of JSON",
    ],
  ])("%s is refused as a whole", (_name, value, reason) => {
    expect(sendable(value)).toBe(reason);
  });

  it("never throws, and what it gives is JSON within the bounds", () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withDate: true, withNullPrototype: true, withSparseArray: true }), (value) => {
        const result = sendable(value);
        if (typeof result === "string") return;
        const text = JSON.stringify(result.json);
        expect(text.length).toBe(result.length);
        expect(result.length).toBeLessThanOrEqual(SENDABLE.length);
        expect(JSON.stringify(JSON.parse(text))).toBe(text);
      }),
    );
  });
});

describe("attributes of a context", () => {
  it("are the named ones it owns, and no others", () => {
    const context = JSON.parse('{"country":"DE","email":"a@b.c","__proto__":{"plan":"pro"}}');
    const result = sendableAttributes(context, ["country", "plan", "toString", "__proto__"]);
    expect(result).toMatchObject({ leftOut: [] });
    expect(JSON.stringify((result as { json: object }).json)).toBe('{"country":"DE","__proto__":{"plan":"pro"}}');
  });
});
