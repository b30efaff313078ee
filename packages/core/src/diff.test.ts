import type { Snapshot, SnapshotFlag } from "@belay/protocol";
import { describe, expect, it } from "vitest";
import { clientSnapshot } from "./client-snapshot.ts";
import { applyToSnapshot, diffSnapshots } from "./diff.ts";
import { snapshotOf } from "./vectors.fixture.ts";

const on: SnapshotFlag = {
  type: "boolean",
  variants: { on: true, off: false },
  enabled: true,
  rules: [],
  fallthrough: { variant: "on" },
};
const layered: SnapshotFlag = {
  ...on,
  rules: [{ id: "r", serve: { split: [{ variant: "on", draws: [{ space: "layer/x", in: [[0, 1]] }] }] } }],
};
const own: SnapshotFlag = { ...layered, spaces: { "layer/x": { salt: "own" } } };
const within = (segment: string): SnapshotFlag => ({ ...on, rules: [{ id: "r", when: { segment }, serve: { variant: "on" } }] });

const before = snapshotOf({
  flags: { same: on, changes: on, goes: on, layered, own },
  segments: { same: { all: [] }, lucky: { draw: { space: "layer/x", in: [] } }, goes: { any: [] } },
  spaces: { "layer/x": { salt: "x" }, "layer/y": { salt: "y" } },
});

describe("diffSnapshots", () => {
  it("holds what differs, whole, and null for what is gone", () => {
    const changed = { ...on, enabled: false };
    const after = {
      ...before,
      revision: 5,
      flags: { same: { ...on }, changes: changed, comes: on, layered, own },
      segments: { same: before.segments["same"] ?? { all: [] }, lucky: before.segments["lucky"] ?? { all: [] } },
    };
    expect(diffSnapshots(before, after)).toEqual({
      ...{ format: 1, project: "p", environment: "e", from: 1, revision: 5 },
      spaces: {},
      segments: { goes: null },
      flags: { goes: null, changes: changed, comes: on },
    });
  });

  it("brings along what draws on a changed shared space, because it was compiled for the old one", () => {
    const after = { ...before, revision: 2, spaces: { "layer/x": { salt: "x", by: "company" }, "layer/y": { salt: "y" } } };
    const { flags, segments, spaces } = diffSnapshots(before, after);
    expect([Object.keys(spaces), Object.keys(segments), Object.keys(flags)]).toEqual([["layer/x"], ["lucky"], ["layered"]]);
  });

  it("sees no difference in the order of keys", () => {
    const flag = {
      fallthrough: { variant: "on" },
      rules: [],
      enabled: true,
      variants: { off: false, on: true },
      type: "boolean",
    } as const;
    expect(diffSnapshots(before, { ...before, flags: { ...before.flags, same: flag } }).flags).toEqual({});
  });

  it("treats __proto__ as a name", () => {
    const flags = JSON.parse(`{"__proto__":${JSON.stringify(on)}}`) as Snapshot["flags"];
    const change = diffSnapshots(snapshotOf({}), snapshotOf({ flags, revision: 2 }));
    expect(Object.keys(change.flags)).toEqual(["__proto__"]);
    expect(Object.keys(applyToSnapshot(snapshotOf({}), change).flags)).toEqual(["__proto__"]);
    expect(Object.keys(diffSnapshots(snapshotOf({ flags }), snapshotOf({ revision: 2 })).flags)).toEqual(["__proto__"]);
  });
});

describe("clientSnapshot", () => {
  it("keeps the visible flags, and of segments and spaces those they use, through segments too", () => {
    const whole = snapshotOf({
      flags: { shown: within("outer"), hidden: within("secret"), layered, own },
      segments: { outer: { not: { segment: "inner" } }, inner: { draw: { space: "holdout/h", in: [] } }, secret: { all: [] } },
      spaces: { "holdout/h": { salt: "h" }, "layer/x": { salt: "x" }, "layer/y": { salt: "y" } },
    });
    const seen = (...visible: string[]): unknown => {
      const { flags, segments, spaces } = clientSnapshot(whole, (key) => visible.includes(key));
      return [flags, segments, spaces].map((table) => Object.keys(table));
    };
    expect(seen("shown")).toEqual([["shown"], ["outer", "inner"], ["holdout/h"]]);
    expect(seen("layered")).toEqual([["layered"], [], ["layer/x"]]);
    expect(seen("own")).toEqual([["own"], [], []]);
    expect(seen()).toEqual([[], [], []]);
  });

  it("ends where segments ask for one another in a circle, and passes over malformed flags", () => {
    const whole = snapshotOf({
      flags: { shown: within("a"), broken: { rules: 5 } as never },
      segments: { a: { segment: "b" }, b: { segment: "a" } },
    });
    expect(Object.keys(clientSnapshot(whole, () => true).segments)).toEqual(["a", "b"]);
  });
});
