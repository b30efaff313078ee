import type { Json } from "@belay/protocol";
import fc from "fast-check";
import { expect, it } from "vitest";
import { canonicalJson } from "./canonical-json.ts";
import { isSameJson } from "./same-json.ts";

/** Small enough that two of them are often the same. */
const { tree } = fc.letrec<{ tree: Json }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<Json>(null, true, false, 0, -0, 1, "", "0", "a"),
    fc.array(tie("tree"), { maxLength: 2 }),
    fc
      .array(fc.tuple(fc.constantFrom("a", "b", "__proto__", "constructor"), tie("tree")), { maxLength: 3 })
      .map((entries) => Object.fromEntries(entries)),
  ),
}));

it("says what comparing canonical texts says", () => {
  const seen = { same: 0, other: 0 };
  fc.assert(
    fc.property(tree, tree, (a, b) => {
      const isSame = canonicalJson(a) === canonicalJson(b);
      expect(isSameJson(a, b)).toBe(isSame);
      expect(isSameJson(b, a)).toBe(isSame);
      seen[isSame ? "same" : "other"] += 1;
    }),
    { numRuns: 5_000, seed: 20_261_123 },
  );
  expect(seen.same).toBeGreaterThan(100);
  expect(seen.other).toBeGreaterThan(100);
});

it("takes no notice of the order of keys, and all of that of lists", () => {
  fc.assert(
    fc.property(tree, (document) => {
      expect(isSameJson(document, reordered(document))).toBe(true);
    }),
    { numRuns: 1_000, seed: 20_261_123 },
  );
  expect(isSameJson([1, 2], [2, 1])).toBe(false);
  expect(isSameJson({ a: 1, b: [{ c: 2, d: 3 }] }, { b: [{ d: 3, c: 2 }], a: 1 })).toBe(true);
});

function reordered(document: Json): Json {
  if (Array.isArray(document)) return document.map(reordered);
  if (typeof document !== "object" || document === null) return document;
  const entries = Object.entries(document as { readonly [name: string]: Json });
  return Object.fromEntries(entries.reverse().map(([name, value]) => [name, reordered(value)]));
}
