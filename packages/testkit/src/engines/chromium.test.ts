import { afterEach, expect, it, vi } from "vitest";
import { chromiumPath } from "./chromium.ts";

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

it("is the first that is there", () => {
  expect(chromiumPath([undefined, "/nowhere", process.execPath, "/usr/bin/env"])).toBe(process.execPath);
});

it("may be missing on a person's machine, and says so", () => {
  vi.stubEnv("BELAY_REQUIRE_ENGINES", "0");
  const said = vi.spyOn(console, "warn").mockImplementation(() => {});
  expect(chromiumPath(["/nowhere"])).toBeUndefined();
  expect(said.mock.calls).toEqual([[expect.stringContaining("apt-get install chromium")]]);
});

it("fails the tests where it must be there", () => {
  vi.stubEnv("BELAY_REQUIRE_ENGINES", "1");
  expect(() => chromiumPath(["/nowhere"])).toThrow("NO CHROMIUM");
});
