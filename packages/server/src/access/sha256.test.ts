import { hash } from "node:crypto";
import { expect, it } from "vitest";
import { sha256, sha256By } from "./sha256.ts";

it.each([
  ["the one that is used", sha256],
  ["in one call", sha256By(hash)],
  ["for a Node that has no such call", sha256By(undefined)],
])("is the standard's, of UTF-8: %s", (_, of) => {
  expect(of("abc", "hex")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  expect(of("abc", "base64url")).toBe("ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
  expect(of("ü", "hex")).toBe("607474ca475a9724d7360aba71a56d5df77e61350e3f724cfa1f46e857e2d85f");
});
