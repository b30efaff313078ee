import { murmur3 } from "@belay/core";
import { expect, it } from "vitest";
import { bareHash, hashAll } from "./bare-hash.ts";

it("is murmur3: the same as the product's hash on ids of every length", () => {
  const ids = Array.from({ length: 40 }, (_, length) => "user-1234567890".repeat(3).slice(0, length));
  expect(ids.map((id) => bareHash(id) >>> 0)).toEqual(ids.map((id) => murmur3(id)));
});

it("hashes every id: about half of them fall into the lower half", () => {
  expect(hashAll(Array.from({ length: 10_000 }, (_, index) => `user-${index}`))).toBe(5_103);
});
