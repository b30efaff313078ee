import { describe, expect, it } from "vitest";
import { type Linkable, link } from "./link.ts";
import type { FlagRef, Refs, SegmentRef, SharedSpace } from "./program.ts";

const none: Refs = { flags: new Set(), segments: new Set(), spaces: new Set() };
const present = {} as NonNullable<FlagRef["flag"]>;
const flagRef = (key: string, flag: FlagRef["flag"] = present): FlagRef => ({ key, flag, tick: 0, outcome: undefined });
const segmentRef = (key: string, state: SegmentRef["state"] = "fine"): SegmentRef => ({
  key,
  state,
  node: undefined,
  refs: none,
  tick: 0,
  matches: false,
});
const refs = (of: { flags?: FlagRef[]; segments?: SegmentRef[]; spaces?: SharedSpace[] }): Refs => ({
  flags: new Set(of.flags),
  segments: new Set(of.segments),
  spaces: new Set(of.spaces),
});
const flag = (key: string, of: Parameters<typeof refs>[0]): Linkable => ({ kind: "flag", key, refs: refs(of) });
const segment = (key: string, of: Parameters<typeof refs>[0]): Linkable => ({ kind: "segment", key, refs: refs(of) });
const codes = (members: readonly Linkable[]): { [id: string]: string } =>
  Object.fromEntries([...link(members)].map(([id, { code }]) => [id, code]));

describe("link", () => {
  it("finds names that are missing", () => {
    const space: SharedSpace = { id: "layer/x", definition: undefined, state: undefined };
    const members = [
      flag("a", { spaces: [space] }),
      flag("b", { segments: [segmentRef("s", "absent")] }),
      flag("c", { flags: [{ ...flagRef("x"), flag: undefined }] }),
    ];
    expect(codes(members)).toEqual({ "flag/a": "unknown_space", "flag/b": "unknown_segment", "flag/c": "unknown_flag" });
    expect([...link(members).values()].map(({ received }) => received)).toEqual(["layer/x", "s", "x"]);
  });

  it("finds cycles of flags, of segments, and through both, and leaves who merely asks for them", () => {
    const members = [
      flag("self", { flags: [flagRef("self")] }),
      flag("a", { flags: [flagRef("b")] }),
      flag("b", { segments: [segmentRef("s")] }),
      segment("s", { flags: [flagRef("a")] }),
      flag("outside", { flags: [flagRef("a")] }),
      segment("loop", { segments: [segmentRef("loop")] }),
      flag("plain", {}),
    ];
    const broken = link(members);
    expect([...broken.keys()].sort()).toEqual(["flag/a", "flag/b", "flag/self", "segment/loop", "segment/s"]);
    expect(new Set([...broken.values()].map(({ code }) => code))).toEqual(new Set(["prerequisite_cycle"]));
    expect(broken.get("flag/self")?.cycle).toBe("self -> self");
    expect(broken.get("flag/a")?.cycle).toBe("a -> b -> s -> a");
  });

  it("tells a cycle that is one, the shortest where several meet", () => {
    const members = [
      flag("a", { flags: [flagRef("b"), flagRef("c")] }),
      flag("b", { flags: [flagRef("d")] }),
      flag("c", { flags: [flagRef("a")] }),
      flag("d", { flags: [flagRef("a")] }),
    ];
    expect(new Set([...link(members).values()].map(({ cycle }) => cycle))).toEqual(new Set(["a -> c -> a"]));
  });

  it("spreads a segment's fault to everything that uses it, through segments too", () => {
    const malformed: Linkable = { kind: "segment", key: "bad", refs: undefined };
    const members = [
      flag("user", { segments: [segmentRef("middle")] }),
      segment("middle", { segments: [segmentRef("bad", "malformed")] }),
      malformed,
      flag("asks", { flags: [flagRef("user")] }),
    ];
    expect(codes(members)).toEqual({ "segment/middle": "invalid_field", "flag/user": "invalid_field" });
  });

  it("counts how deep definitions ask for one another, the same for flags and segments", () => {
    const flags = Array.from({ length: 70 }, (_, i) => flag(`${i}`, i === 0 ? {} : { flags: [flagRef(`${i - 1}`)] }));
    const segments = Array.from({ length: 70 }, (_, i) => segment(`${i}`, i === 0 ? {} : { segments: [segmentRef(`${i - 1}`)] }));
    expect(Object.keys(codes(flags))).toEqual(["65", "66", "67", "68", "69"].map((key) => `flag/${key}`));
    expect(Object.keys(codes(segments))).toEqual(["65", "66", "67", "68", "69"].map((key) => `segment/${key}`));
  });

  it("needs no stack: a ring and a chain of 20,000", () => {
    const ring = Array.from({ length: 20_000 }, (_, i) => flag(`${i}`, { flags: [flagRef(`${(i + 1) % 20_000}`)] }));
    expect(link(ring).size).toBe(20_000);
    expect(link(ring.slice(1)).size).toBe(19_999 - 64);
  });
});
