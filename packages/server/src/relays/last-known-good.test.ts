import { appendFile, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { diffSnapshots } from "@belay/core";
import type { RelayBrief, Snapshot } from "@belay/protocol";
import { tempDir } from "@belay/testkit";
import { expect, it, onTestFinished } from "vitest";
import { LastKnownGood } from "./last-known-good.ts";

const BRIEF: RelayBrief = { project: "shop", environment: "production", path: [], keys: [], clientFlags: [] };

function snapshotOf(revision: number): Snapshot {
  const flag = { type: "boolean", variants: { on: true }, enabled: revision % 2 === 0, rules: [] } as const;
  return { format: 1, project: "shop", environment: "production", revision, spaces: {}, segments: {}, flags: { a: flag } };
}

async function folder() {
  const dir = await tempDir("last-known-good");
  onTestFinished(dir.remove);
  const { file, known } = await LastKnownGood.open(dir.path);
  expect(known).toBeUndefined();
  file.keep({ brief: BRIEF, snapshot: snapshotOf(1) });
  for (let revision = 2; revision <= 5; revision++) {
    const snapshot = snapshotOf(revision);
    file.add({ change: diffSnapshots(snapshotOf(revision - 1), snapshot) }, { brief: BRIEF, snapshot });
  }
  const lines = join(dir.path, "last-known-good.lines");
  return { path: dir.path, lines, read: async () => (await LastKnownGood.open(dir.path)).known };
}

it("is the whole with every change since, and the newest brief", async () => {
  const { path, read } = await folder();
  expect(await read()).toEqual({ brief: BRIEF, snapshot: snapshotOf(5) });
  const { file, known } = await LastKnownGood.open(path);
  const brief = { ...BRIEF, clientFlags: ["a"] };
  // Opened again it writes the whole first: what the lines add up to is then of one piece.
  file.add({ brief }, { brief, snapshot: known?.snapshot ?? snapshotOf(0) });
  expect(await read()).toEqual({ brief, snapshot: snapshotOf(5) });
});

it("ends before a line that was cut, and before one that is missing", async () => {
  const { lines, read } = await folder();
  const text = await readFile(lines, "utf8");
  await truncate(lines, text.length - 3);
  expect((await read())?.snapshot).toEqual(snapshotOf(4));
  const [first = "", , third = "", fourth = ""] = text.split("\n");
  await writeFile(lines, `${[first, third, fourth].join("\n")}\n`);
  expect((await read())?.snapshot).toEqual(snapshotOf(2));
});

it("passes over lines of an earlier whole, and over a whole that was edited", async () => {
  const { path, lines, read } = await folder();
  const earlier = await readFile(lines, "utf8");
  const { file } = await LastKnownGood.open(path);
  file.keep({ brief: BRIEF, snapshot: snapshotOf(1) });
  await appendFile(lines, earlier);
  expect((await read())?.snapshot).toEqual(snapshotOf(1));
  const whole = join(path, "last-known-good.json");
  await writeFile(whole, (await readFile(whole, "utf8")).replace("shop", "shot"));
  expect(await read()).toBeUndefined();
});
