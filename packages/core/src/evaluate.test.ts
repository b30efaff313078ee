import type { FlagMetadata, Json } from "@belay/protocol";
import { describe, expect, it } from "vitest";
import { evaluate, hasTypeOf } from "./evaluate.ts";
import { compile } from "./ruleset.ts";

const SAMPLES: Readonly<Record<string, readonly Json[]>> = {
  boolean: [true, false],
  string: ["", "a"],
  number: [0, -1.5],
  list: [[], ["a"], [[]]],
  object: [{}, { rows: 5 }, { 0: "a", length: 1 }],
};

describe("the type of a value and of a default", () => {
  it.each(Object.keys(SAMPLES))("a default of type %s takes values of that type and no other", (type) => {
    for (const fallback of SAMPLES[type] ?? []) {
      for (const [other, values] of Object.entries(SAMPLES)) {
        for (const value of values) expect(hasTypeOf(value, fallback), JSON.stringify({ value, fallback })).toBe(other === type);
        expect(hasTypeOf(null, fallback)).toBe(false);
      }
    }
  });

  it("a default of null takes objects and lists", () => {
    const taken = Object.keys(SAMPLES).filter((type) => (SAMPLES[type] ?? []).every((value) => hasTypeOf(value, null)));
    expect(taken).toEqual(["list", "object"]);
    expect(hasTypeOf(null, null)).toBe(true);
  });
});

/** Metadata as a snapshot that no server of ours made might have it. */
const MIXED = { ticket: "T-1", beta: false, weight: 0.5, nested: { a: 1 }, none: null } as unknown as FlagMetadata;

describe("evaluate", () => {
  const ruleset = compile({
    format: 1,
    project: "default",
    environment: "production",
    revision: 3,
    spaces: {},
    segments: {},
    flags: {
      countries: { type: "object", variants: { eu: ["DE"] }, enabled: true, rules: [], fallthrough: { variant: "eu" } },
      said: { type: "boolean", variants: { on: true }, enabled: true, rules: [], metadata: MIXED },
    },
  });

  it("serves a list where the default is one", () => {
    expect(evaluate(ruleset, "countries", {}, ["US"])).toEqual({ value: ["DE"], variant: "eu", reason: "STATIC", revision: 3 });
  });

  it("serves the default where it is an object and the flag a list", () => {
    const mismatch = { reason: "ERROR", errorCode: "TYPE_MISMATCH", revision: 3 };
    expect(evaluate(ruleset, "countries", {}, { rows: 1 } as Json)).toEqual({ value: { rows: 1 }, ...mismatch });
  });

  it("tells a flag's metadata with every answer, and nothing of it that is none", () => {
    const metadata = { ticket: "T-1", beta: false, weight: 0.5 };
    expect(evaluate(ruleset, "said", {}, true)).toEqual({ value: true, reason: "DEFAULT", revision: 3, metadata });
    expect(ruleset.defects()).toEqual([]);
  });
});
