import { describe, expect, it } from "vitest";
import { compareSemver, parseSemver, type Semver } from "./semver.ts";

/** The order that semver.org gives in item 11, with neighbours of each kind between. */
const ASCENDING = [
  ...[
    "0.0.0-0",
    "0.0.0",
    "0.0.1",
    "0.9.0",
    "0.10.0",
    "1.0.0--",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
  ],
  ...["1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.9.9", "1.10.0", "2.0.0", "10.0.0"],
];
const parsed = (text: string): Semver => {
  const version = parseSemver(text);
  if (version === undefined) throw new Error(`${text} is no version`);
  return version;
};

describe("compareSemver", () => {
  it("orders every pair as semver.org does", () => {
    const wrong = ASCENDING.flatMap((a, i) =>
      ASCENDING.map((b, j) => [a, b, compareSemver(a, parsed(b)), Math.sign(i - j)] as const),
    ).filter(([, , got, expected]) => got !== expected);
    expect(wrong).toEqual([]);
  });

  it.each([
    ["1.0.0+a", "1.0.0+b", 0],
    ["1.0.0-rc.1+a", "1.0.0-rc.1", 0],
    ["999999999999999.0.0", "1000000000000000.0.0", -1],
    ["99999999999999999999.0.0", "99999999999999999998.0.0", 1],
    ["1.0.0-99999999999999999999", "1.0.0-100000000000000000000", -1],
    ["1.0.0-1", "1.0.0-a", -1],
    ["1.0.0-A", "1.0.0-a", -1],
  ] as const)("puts %s against %s at %i", (text, than, expected) => {
    expect(compareSemver(text, parsed(than))).toBe(expected);
  });

  it.each([
    "",
    "1",
    "1.0",
    "v1.0.0",
    "01.0.0",
    "1.00.0",
    "1.0.0.0",
    "1.0.0.",
    ".1.0.0",
    "1..0",
    "1.0.0-",
    "1.0.0-01",
    "1.0.0+",
    "1.0.0-a..b",
    "1.0.0 ",
    "1.0.x",
    "-1.0.0",
    "1e0.0.0",
  ])("finds no version in %j", (text) => {
    expect([compareSemver(text, parsed("1.0.0")), parseSemver(text)]).toEqual([undefined, undefined]);
  });

  it("reads 256 characters and no more", () => {
    expect(parseSemver(`1.0.0-${"a".repeat(250)}`)?.pre).toEqual(["a".repeat(250)]);
    expect(parseSemver(`1.0.0-${"a".repeat(251)}`)).toBe(undefined);
  });
});
