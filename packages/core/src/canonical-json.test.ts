import type { Json } from "@belay/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalJson } from "./canonical-json.ts";
import { reordered } from "./random-snapshot.fixture.ts";

describe("canonicalJson", () => {
  it.each<[Json, string]>([
    [{ b: 1, a: [2, { d: null, c: "x" }] }, '{"a":[2,{"c":"x","d":null}],"b":1}'],
    [[], "[]"],
    [{}, "{}"],
    ["\ud800\u0000", '"\\ud800\\u0000"'],
    [-0, "0"],
    [null, "null"],
    [JSON.parse('{"__proto__":1,"10":2,"9":3}') as Json, '{"10":2,"9":3,"__proto__":1}'],
  ])("writes %j as %s", (value, expected) => {
    expect(canonicalJson(value)).toBe(expected);
  });

  it("is the same for every order of keys, and differs where the value does", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        expect(canonicalJson(reordered(a) as Json)).toBe(canonicalJson(a as Json));
        expect(JSON.parse(canonicalJson(a as Json))).toEqual(JSON.parse(JSON.stringify(a)));
        const isSame = canonicalJson(a as Json) === canonicalJson(b as Json);
        if (isSame) expect(JSON.parse(JSON.stringify(a))).toEqual(JSON.parse(JSON.stringify(b)));
      }),
    );
  });
});
