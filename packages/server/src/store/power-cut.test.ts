import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type PowerCutDisk, powerCutDisk, seeded, whyNoPowerCuts } from "@belay/testkit";
import { expect, test } from "vitest";
import { openEventStore, rowsOf } from "./events/index.ts";

/** 50 with `BELAY_CUTS=50`; the quick suite does 6. */
const CUTS = Number(process.env["BELAY_CUTS"] ?? 6);
const SEED = Number(process.env["BELAY_SEED"] ?? 55);
const BUILT = ["events", "changes"].map((name) => fileURLToPath(new URL(`../../dist/store/${name}/index.js`, import.meta.url)));

/**
 * Appends batches of 20 exposures in four lanes and commits changes, for ever; prints each only once it is acknowledged.
 * Segments are small, so that cuts meet every part of their life: made, growing, sealed, loaded, gone.
 */
const WRITER = `
  const [, events, changes, directory, round] = process.argv;
  const { openEventStore } = await import(events);
  const { openChangeLog } = await import(changes);
  const store = await openEventStore({ directory: directory + "/events", segmentBytes: 16384, segmentAgeMs: 40 });
  const log = await openChangeLog(directory + "/changes.db");
  let revision = (await log.load()).streams[0]?.revision ?? 0;
  const exposure = (seq) => ({ seq, timeMs: 1, flag: "f", variant: "v", experiment: "e", epoch: 1, revision: 1, unit: "u" + seq });
  let seq = 1;
  const append = async () => {
    for (;;) {
      const first = seq;
      seq += 20;
      const exposures = Array.from({ length: 20 }, (_, index) => exposure(first + index));
      await store.append({
        project: "p", environment: "e", instance: "r" + round, sdk: "t", batchId: "b" + first, receivedAtMs: Date.now(),
        clockOffsetMs: 0, exposures, attributes: exposures.map(() => undefined), metrics: [], properties: [], counts: [], ledger: [],
      });
      process.stdout.write("exposures " + first + ".\\n");
    }
  };
  const commit = async () => {
    for (;;) {
      const outcome = await log.commit({
        raises: [{ project: "p", revision }],
        change: { project: "p", at: 1, actor: { id: "a", name: "a" }, requestId: "r", action: "x", target: { kind: "d", key: "d" } },
        documents: [{ project: "p", kind: "d", key: "d", body: { revision: revision + 1 } }],
      });
      if (outcome.status !== "committed") throw new Error(JSON.stringify(outcome));
      revision += 1;
      process.stdout.write("change " + revision + ".\\n");
      await new Promise(setImmediate);
    }
  };
  await Promise.all([append(), append(), append(), append(), commit()]);
`;

/** Reads the change log in a process of its own, which leaves nothing open. */
const READER = `
  const [, , changes, directory] = process.argv;
  const { openChangeLog } = await import(changes);
  const { streams, documents } = await (await openChangeLog(directory + "/changes.db")).load();
  console.log(JSON.stringify({ revision: streams[0].revision, body: documents[0].body }));
`;

const reason = whyNoPowerCuts();
const title = `${CUTS} power cuts (seed ${SEED}): no acknowledged event or change is lost, none is there twice`;

if (reason !== undefined) {
  // A skip is what the summary names and counts.
  test.skip(`${title} (${reason})`, () => undefined);
} else {
  test(
    title,
    async () => {
      const dice = seeded(SEED);
      const disk = await powerCutDisk(256);
      const acknowledged = new Set<string>();
      let revision = 0;
      try {
        for (let cut = 0; cut < CUTS; cut += 1) {
          const before = acknowledged.size;
          const found = await writeUntilCut(disk, cut, 20 + dice.below(400));
          for (const id of found.events) acknowledged.add(id);
          revision = Math.max(revision, found.revision);
          expect(acknowledged.size).toBeGreaterThan(before);
          await expectKept(disk.path, acknowledged, revision);
        }
      } finally {
        await disk.remove();
      }
      expect(revision).toBeGreaterThan(CUTS);
    },
    60_000 + CUTS * 20_000,
  );
}

interface Acknowledged {
  readonly events: readonly string[];
  readonly revision: number;
}

const KINDS = ["exposures", "change"] as const;

/** Runs the writer, freezes it with its database `afterMs` after its first acknowledgements, and cuts the power. */
async function writeUntilCut(disk: PowerCutDisk, round: number, afterMs: number): Promise<Acknowledged> {
  // In a process group of its own: the database's process is frozen at the same moment.
  const args = ["--input-type=module", "-e", WRITER, ...BUILT, disk.path, String(round)];
  const writer = spawn(process.execPath, args, { detached: true, stdio: ["ignore", "pipe", "inherit"] });
  const lines: string[] = [];
  const reader = createInterface(writer.stdout).on("line", (line) => lines.push(line));
  const ended = once(reader, "close");
  try {
    while (writer.exitCode === null && !KINDS.every((kind) => lines.some((line) => line.startsWith(kind)))) await pause(5);
    await pause(afterMs);
    signalGroup(writer, "SIGSTOP");
    const unsynced = join(disk.path, `unsynced-${round}`);
    await writeFile(unsynced, "never asked to be kept");
    await disk.capture();
    signalGroup(writer, "SIGKILL");
    await ended;
    await disk.comeBack();
    // The cut is one: what nobody synced is gone.
    expect(await readFile(unsynced, "utf8").catch(() => "")).toBe("");
  } finally {
    signalGroup(writer, "SIGKILL");
  }
  const numbers = (kind: (typeof KINDS)[number]): number[] =>
    lines.flatMap((line) => new RegExp(`^${kind} (\\d+)\\.$`).exec(line)?.[1] ?? []).map(Number);
  const events = numbers("exposures").flatMap((first) => Array.from({ length: 20 }, (_, index) => `r${round}-${first + index}`));
  return { events, revision: Math.max(0, ...numbers("change")) };
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Opens both stores as a server does, with nobody's help, and compares. */
async function expectKept(directory: string, acknowledged: ReadonlySet<string>, revision: number): Promise<void> {
  const store = await openEventStore({ directory: join(directory, "events") });
  try {
    // A pull waits 5 s at most for what is not loaded yet, and says so; here nothing may be left out.
    expect(await store.settle(60_000)).toBe(0);
    const { pages } = await store.pull({ kind: "exposures", project: "p", format: "ndjson" });
    const ids: string[] = [];
    for await (const { id } of rowsOf<{ readonly id: string }>(pages)) ids.push(id);
    const present = new Set(ids);
    expect(present.size).toBe(ids.length);
    expect([...acknowledged].filter((id) => !present.has(id))).toEqual([]);
  } finally {
    await store.close();
  }
  const reader = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", READER, ...BUILT, directory]);
  const log = JSON.parse(reader.stdout) as { readonly revision: number; readonly body: unknown };
  expect(log.revision).toBeGreaterThanOrEqual(revision);
  expect(log.body).toEqual({ revision: log.revision });
}
