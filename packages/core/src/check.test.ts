import type { Condition, Snapshot, SnapshotFlag } from "@belay/protocol";
import { describe, expect, it } from "vitest";
import { checkFlag, checkSegment } from "./check.ts";

const on: SnapshotFlag = {
  type: "boolean",
  variants: { on: true, off: false },
  enabled: true,
  rules: [],
  fallthrough: { variant: "on" },
};
const whenever = (when: Condition): SnapshotFlag => ({ ...on, rules: [{ id: "r", when, serve: { variant: "on" } }] });
const drawing = (space: string, more: Partial<SnapshotFlag> = {}): SnapshotFlag => ({
  ...on,
  ...more,
  fallthrough: { split: [{ variant: "on", draws: [{ space, in: [] }] }] },
});
const flags: Snapshot["flags"] = { other: on, asks: { ...on, prerequisites: [{ flag: "flag", variants: ["on"] }] } };
const segments: Snapshot["segments"] = {
  fine: { all: [] },
  back: { flag: "flag", variants: ["on"] },
  loop: { segment: "loop" },
  bad: { draw: { space: "layer/none", in: [] } },
};
const among = { flags, segments, spaces: { "layer/x": { salt: "x" } } };
const check = (flag: SnapshotFlag): unknown => checkFlag(flag, { ...among, flags: { ...flags, flag } }, "flag");

// The codes that reading alone finds are in read-flag.test.ts.
describe("checkFlag", () => {
  it.each<[string, SnapshotFlag, unknown]>([
    ["fine alone", on, []],
    [
      "fine with names",
      { ...drawing("layer/x"), ...whenever({ all: [{ segment: "fine" }, { flag: "other", variants: ["on", "off"] }] }) },
      [],
    ],
    ["fine with its own space", drawing("share", { spaces: { share: { salt: "s" } } }), []],
    [
      "no such segment",
      whenever({ any: [{ not: { segment: "nope" } }] }),
      [{ code: "unknown_segment", field: "rules[0].when.any[0].not.segment", received: "nope" }],
    ],
    [
      "no such space in a condition",
      whenever({ draw: { space: "layer/y", in: [] } }),
      [{ code: "unknown_space", field: "rules[0].when.draw.space", received: "layer/y", allowed: ["layer/x"] }],
    ],
    [
      "no such space in a split",
      drawing("shared", { spaces: { share: { salt: "s" } } }),
      [
        {
          code: "unknown_space",
          field: "fallthrough.split[0].draws[0].space",
          received: "shared",
          allowed: ["share", "layer/x"],
        },
      ],
    ],
    [
      "no such flag",
      { ...on, prerequisites: [{ flag: "nope", variants: [] }] },
      [{ code: "unknown_flag", field: "prerequisites[0].flag", received: "nope" }],
    ],
    [
      "inherited names",
      whenever({ all: [{ flag: "toString", variants: [] }, { segment: "constructor" }] }),
      [
        { code: "unknown_flag", field: "rules[0].when.all[0].flag", received: "toString" },
        { code: "unknown_segment", field: "rules[0].when.all[1].segment", received: "constructor" },
      ],
    ],
    [
      "no such variant there",
      whenever({ flag: "other", variants: ["on", "dark"] }),
      [{ code: "unknown_variant", field: "rules[0].when.variants[1]", received: "dark", allowed: ["on", "off"] }],
    ],
    [
      "a cycle with itself",
      { ...on, prerequisites: [{ flag: "flag", variants: ["on"] }] },
      [{ code: "prerequisite_cycle", field: "prerequisites", cycle: "flag -> flag" }],
    ],
    ["a cycle through a segment", whenever({ segment: "back" }), [expect.objectContaining({ code: "prerequisite_cycle" })]],
    [
      "a segment that is broken",
      whenever({ segment: "loop" }),
      [{ code: "invalid_field", field: "segment", received: "loop", reason: "this segment is not valid" }],
    ],
  ])("%s", (_, flag, expected) => {
    expect(check(flag)).toEqual(expected);
  });

  it("finds chains that are too long, of flags and of segments", () => {
    const chain = Object.fromEntries(
      Array.from({ length: 65 }, (_, i) => [
        `f${i}`,
        i === 0 ? on : { ...on, prerequisites: [{ flag: `f${i - 1}`, variants: ["on"] }] },
      ]),
    );
    const top = (i: number): SnapshotFlag => ({ ...on, prerequisites: [{ flag: `f${i}`, variants: ["on"] }] });
    const checked = (flag: SnapshotFlag): unknown =>
      checkFlag(flag, { ...among, flags: { ...chain, flag } }, "flag").map(({ code, allowed }) => [code, allowed]);
    expect([checked(top(63)), checked(top(64))]).toEqual([[], [["limit_exceeded", 64]]]);
  });
});

describe("checkSegment", () => {
  it.each<[string, Condition, unknown]>([
    ["fine", { all: [{ segment: "fine" }, { draw: { space: "layer/x", in: [] } }, { flag: "other", variants: ["on"] }] }, []],
    [
      "no such segment",
      { not: { segment: "nope" } },
      [{ code: "unknown_segment", field: "condition.not.segment", received: "nope" }],
    ],
    [
      "no such space",
      { draw: { space: "share", in: [] } },
      [{ code: "unknown_space", field: "condition.draw.space", received: "share", allowed: ["layer/x"] }],
    ],
    ["no such flag", { flag: "nope", variants: [] }, [{ code: "unknown_flag", field: "condition.flag", received: "nope" }]],
    [
      "no such variant",
      { flag: "other", variants: ["dark"] },
      [expect.objectContaining({ code: "unknown_variant", field: "condition.variants[0]" })],
    ],
    [
      "malformed",
      { any: [{ attribute: "a", op: "like" as never, value: 1 }] },
      [expect.objectContaining({ code: "unknown_operator", field: "condition.any[0].op" })],
    ],
    ["a cycle with itself", { segment: "segment" }, [{ code: "prerequisite_cycle", field: "", cycle: "segment -> segment" }]],
    ["a segment that is broken", { segment: "bad" }, [expect.objectContaining({ code: "invalid_field", received: "bad" })]],
  ])("%s", (_, condition, expected) => {
    expect(checkSegment(condition, { ...among, segments: { ...segments, segment: condition } }, "segment")).toEqual(expected);
  });
});
