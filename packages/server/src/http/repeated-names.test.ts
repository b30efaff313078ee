import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseJsonBody } from "./json-body.ts";
import { repeatedName } from "./repeated-names.ts";

describe("a name that an object says twice", () => {
  it.each([
    ['{"percentage":10,"percentage":90}', "percentage"],
    ['{"a":{"b":[0,{"c":1},{"c":1,"d":"x","c":2}]}}', "a.b[2].c"],
    ['{"a":1,"\\u0061":2}', "a"],
    ['{"a\\"":1,"a\\\\":2,"a\\"":3}', 'a"'],
    ['[[],[{"x":1,"x":2}]]', "[1][0].x"],
    ['{"__proto__":1,"__proto__":2}', "__proto__"],
    ['{ "a" : "a" ,\n "b" : [ "a", "a" ] , "c" : { "a" : 1 } , "a" : 2 }', "a"],
  ])("%s names %s, and is refused", (json, field) => {
    expect(repeatedName(json)).toBe(field);
    expect(() => parseJsonBody(json)).toThrow(
      expect.objectContaining({ code: "invalid_field", data: expect.objectContaining({ field }) }),
    );
  });

  it("is in no text that was written from a value (1,000 values)", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1), (value, space) => {
        expect(repeatedName(JSON.stringify(value, undefined, space))).toBeUndefined();
      }),
      { numRuns: 1_000, seed: 7 },
    );
  });

  it("is found wherever it is put (1,000 objects)", () => {
    const objects = fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1, maxKeys: 6 });
    fc.assert(
      fc.property(objects, fc.nat(), (object, pick) => {
        const names = Object.keys(object);
        const name = JSON.stringify(names[pick % names.length]);
        expect(repeatedName(`[0,${JSON.stringify(object).slice(0, -1)},${name}:0}]`)).toBe(`[1].${JSON.parse(name)}`);
      }),
      { numRuns: 1_000, seed: 7 },
    );
  });
});
