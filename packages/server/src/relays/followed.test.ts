import { applyToSnapshot, clientSnapshot, diffSnapshots } from "@belay/core";
import type { Hear } from "@belay/core/client";
import type { RelayBrief, Snapshot, SnapshotChange, SnapshotFlag } from "@belay/protocol";
import { tempDir } from "@belay/testkit";
import fc from "fast-check";
import { expect, it, onTestFinished } from "vitest";
import { edited, edits, FLAGS, production, unedited, visibleIn } from "../snapshots/edits.fixture.ts";
import { Followed } from "./followed.ts";
import type { HearBrief } from "./upstream.ts";

/** An upstream that says what a test says, as it would arrive: through JSON. */
class Said {
  #hear: Hear = () => undefined;
  #brief: HearBrief = () => undefined;

  readonly upstream = {
    stream: (_: number | undefined, hear: Hear, brief: HearBrief): (() => void) => {
      this.#hear = hear;
      this.#brief = brief;
      hear({ on: "opened" });
      return () => undefined;
    },
    poll: (): (() => void) => () => undefined,
  };

  shown(clientFlags: readonly string[]): void {
    const brief: RelayBrief = { project: "shop", environment: "production", path: [], keys: [], clientFlags: [...clientFlags] };
    expect(this.#brief(brief)).toBeUndefined();
  }

  snapshot(snapshot: Snapshot): void {
    this.#hear({ on: "snapshot", snapshot: overTheWire(snapshot) });
  }

  change(change: SnapshotChange): void {
    this.#hear({ on: "change", change: overTheWire(change) });
  }
}

function overTheWire<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

async function follow(directory: string): Promise<{ readonly said: Said; readonly followed: Followed }> {
  const said = new Said();
  const followed = await Followed.open({
    ...{ upstream: said.upstream, relay: "edge", directory, random: () => 0.5 },
    ...{ onBrief: () => undefined, onRevision: () => undefined, onFault: (detail) => expect.unreachable(detail) },
  });
  return { said, followed };
}

async function folder(): Promise<string> {
  const dir = await tempDir("followed");
  onTestFinished(dir.remove);
  return dir.path;
}

/** Pages' form of it is another object than the servers': it says of each exposure what it differs from. */
const flag = (percent: number, prerequisites: readonly string[] = []): SnapshotFlag => ({
  type: "boolean",
  variants: { on: true, off: false },
  spaces: { share: { salt: "s" } },
  enabled: true,
  off: "off",
  prerequisites: prerequisites.map((key) => ({ flag: key, variants: ["on"] })),
  rules: [],
  fallthrough: {
    split: [
      { variant: "on", draws: [{ space: "share", in: [[0, percent * 10_000]] }], tracks: { release: "r" } },
      { variant: "off", draws: [], tracks: { release: "r" } },
    ],
  },
});

const snapshotOf = (revision: number, flags: Snapshot["flags"]): Snapshot => ({
  ...{ format: 1, project: "shop", environment: "production", spaces: {}, segments: {} },
  ...{ revision, flags },
});

it("of 1,000 flags that pages hold it renders one where one changed, and those that name it", async () => {
  const { said, followed } = await follow(await folder());
  onTestFinished(() => followed.close());
  const keys = Array.from({ length: 1_000 }, (_, n) => `f${n}`);
  let now = snapshotOf(1, Object.fromEntries(keys.map((key) => [key, flag(10, key === "f8" ? ["f7"] : [])])));
  said.shown(keys);
  said.snapshot(now);
  const held = (): Snapshot["flags"] => followed.client?.snapshot.flags ?? {};
  const renderedBy = (flags: Snapshot["flags"]): string[] => {
    const before = held();
    const next = snapshotOf(now.revision + 1, { ...now.flags, ...flags });
    said.change(diffSnapshots(now, next));
    now = next;
    const after = held();
    expect(Object.keys(after)).toHaveLength(1_000);
    return keys.filter((key) => before[key] !== after[key]);
  };
  expect(held()["f5"]).not.toEqual(now.flags["f5"]);
  expect(renderedBy({ f5: flag(20) })).toEqual(["f5"]);
  expect(renderedBy({ f7: flag(20) })).toEqual(["f7", "f8"]);
  expect(renderedBy({})).toEqual([]);
  expect(held()).toEqual(clientSnapshot(now, () => true).flags);
});

it("what pages hold, and what is told to them, is what rendering all of it gives, whatever was edited and shown", async () => {
  let changes = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(edits, { maxLength: 12 }), async (taken) => {
      const { said, followed } = await follow(await folder());
      let workspace = unedited();
      const shown = (): string[] => FLAGS.filter(visibleIn(workspace));
      said.shown(shown());
      said.snapshot(production(workspace).environment.snapshot.whole);
      let told = followed.client?.snapshot as Snapshot;
      followed.client?.onChange((_, change) => {
        told = applyToSnapshot(told, overTheWire(change));
      });
      for (const [i, documents] of taken.entries()) {
        const before = production(workspace).environment.snapshot.whole;
        workspace = edited(workspace, i + 2, documents);
        const after = production(workspace).environment.snapshot.whole;
        // As the server does it: whom pages may see comes first.
        said.shown(shown());
        said.change(diffSnapshots(before, after));
        const whole = clientSnapshot(after, visibleIn(workspace));
        expect(followed.server?.snapshot).toEqual(after);
        expect(followed.client?.snapshot).toEqual(whole);
        expect(told).toEqual(whole);
        changes += 1;
      }
      followed.close();
    }),
    { numRuns: 100, seed: 20_261_123 },
  );
  expect(changes).toBeGreaterThan(300);
});

it("a flag that cannot be read is nobody's trouble but its own", async () => {
  const { said, followed } = await follow(await folder());
  onTestFinished(() => followed.close());
  said.shown(["a", "b"]);
  const whole = snapshotOf(1, { a: flag(10), b: flag(10) });
  said.snapshot(whole);
  expect(Object.keys(followed.client?.snapshot.flags ?? {})).toEqual(["a", "b"]);
  const steps = [{ a: { type: "boolean" } as unknown as SnapshotFlag }, { b: flag(20) }, { a: flag(30) }, { b: flag(40) }];
  let now = whole;
  for (const [i, flags] of steps.entries()) {
    const next = snapshotOf(i + 2, { ...now.flags, ...flags });
    said.change(diffSnapshots(now, next));
    now = next;
    expect(followed.client?.snapshot).toEqual(clientSnapshot(next, () => true));
  }
});
