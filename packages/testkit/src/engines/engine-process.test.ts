import { afterEach, expect, it, vi } from "vitest";
import { needPrograms } from "./engine-process.ts";

afterEach(() => vi.unstubAllEnvs());

function skipsFor(...names: string[]): string[] {
  const skips: string[] = [];
  needPrograms({ skip: (note) => skips.push(note) }, ...names);
  return skips;
}

it("skips a test for programs that are not installed and names them, and not for those that are", () => {
  vi.stubEnv("BELAY_REQUIRE_ENGINES", "0");
  expect([skipsFor("sh"), skipsFor("sh", "no-such-program", "nor-this")]).toEqual([
    [],
    ["NOT INSTALLED: no-such-program, nor-this"],
  ]);
});

it("fails a test for them where they must be there", () => {
  vi.stubEnv("BELAY_REQUIRE_ENGINES", "1");
  expect(skipsFor("sh")).toEqual([]);
  expect(() => skipsFor("no-such-program")).toThrow("NOT INSTALLED: no-such-program: BELAY_REQUIRE_ENGINES or CI says");
});
