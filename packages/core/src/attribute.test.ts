import type { EvaluationContext } from "@belay/protocol";
import { describe, expect, it } from "vitest";
import { attributeReader, isPlain, readAttribute, unitText } from "./attribute.ts";

const read = (path: string, context: object): unknown =>
  readAttribute(attributeReader(path), context as EvaluationContext, isPlain(context as EvaluationContext));
const json = (text: string): object => JSON.parse(text) as object;

describe("readAttribute", () => {
  it("gives each of many names its own value, whether or not it has a load site of its own", () => {
    const names = Array.from({ length: 20 }, (_, i) => `attribute-${i}`);
    const context = Object.fromEntries(names.map((name, i) => [name, i]));
    const readers = names.map((name) => attributeReader(name));
    const found = readers.map((reader) => readAttribute(reader, context as EvaluationContext, true));
    expect(found).toEqual(names.map((_, i) => i));
    const sites = readers.map(({ site }) => site);
    expect([Math.max(...sites), sites.filter((site) => site === 8).length >= 12]).toEqual([8, true]);
    expect(attributeReader(names[0] as string).site).toBe(sites[0]);
  });

  it.each([
    ["a", { a: 1 }, 1],
    ["a", { a: 0 }, 0],
    ["a", { a: "" }, ""],
    ["a", { a: false }, false],
    ["a", { a: null }, undefined],
    ["a", { a: undefined }, undefined],
    ["a", {}, undefined],
    ["a.b", { a: { b: 1 } }, 1],
    ["a.b", { "a.b": 2, a: { b: 1 } }, 2],
    ["a.b", { "a.b": null, a: { b: 1 } }, undefined],
    ["a.b", { "a.b": undefined, a: { b: 1 } }, 1],
    ["a.b", { a: { b: null } }, undefined],
    ["a.b", { a: null }, undefined],
    ["a.b", { a: "text" }, undefined],
    ["a.length", { a: "text" }, undefined],
    ["a.0", { a: ["x"] }, "x"],
    ["a.b.c", { a: { "b.c": 1 } }, undefined],
    ["a.", { a: { "": 1 } }, 1],
    ["toString", {}, undefined],
    ["constructor.name", {}, undefined],
    ["a.constructor", { a: {} }, undefined],
    ["__proto__", json('{"__proto__":"x"}'), "x"],
    ["a.__proto__", json('{"a":{"__proto__":"x"}}'), "x"],
    ["__proto__.toString", {}, undefined],
    ["a", Object.create({ a: 1 }) as object, undefined],
    ["a", Object.assign(Object.create({ a: 1 }) as object, { a: 2 }), 2],
    ["a", Object.assign(Object.create(null) as object, { a: 2 }), 2],
    [
      "a",
      new (class {
        get a(): number {
          return 1;
        }
      })(),
      undefined,
    ],
    ["0", ["x"], "x"],
    ["a", new Map([["a", 1]]), undefined],
  ] as const)("%s of %o is %s", (path, context, expected) => {
    expect(read(path, context)).toBe(expected);
  });
});

describe("unitText", () => {
  it.each([
    ["user-1", "user-1"],
    [" ", " "],
    [42, "42"],
    [-0, "0"],
    [1.5, "1.5"],
    [1e21, "1e+21"],
    [1e-7, "1e-7"],
    [true, "true"],
    [false, "false"],
    ["", undefined],
    [Number.NaN, undefined],
    [Number.NEGATIVE_INFINITY, undefined],
    [null, undefined],
    [undefined, undefined],
    [10n, undefined],
    [{}, undefined],
    [["user-1"], undefined],
    [new Date(0), undefined],
    [Symbol("user-1"), undefined],
    [new String("user-1"), undefined],
  ])("%s has the text %s", (value, expected) => {
    expect(unitText(value)).toBe(expected);
  });
});
