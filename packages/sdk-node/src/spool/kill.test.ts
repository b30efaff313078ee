/*
 * An application that is killed without warning, again and again, while it records, sends, and sends what the one before
 * it left: real processes, real SIGKILL, moments from a seed. What a process said was on its disk must arrive, once.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { doorFaults, type SdkDoor, seeded, startSdkDoor, tempDir } from "@belay/testkit";
import { describe, expect, it, onTestFinished } from "vitest";
import { experiment, snapshotOf } from "../rules.fixture.ts";

const PACKAGE = fileURLToPath(new URL("../..", import.meta.url));
const KILLS = 20;
const SEED = 27;

/** Exposes a few units a turn, for ever, and says after each turn how many are on disk, before anything else can happen. */
const PROGRAM = `
  import { writeSync } from "node:fs";
  import { createClient } from "@belay/sdk-node";
  const { DOOR, SPOOL, RUN } = process.env;
  const belay = createClient({ url: DOOR, sdkKey: "sdk-1", spoolDir: SPOOL, flushIntervalMs: 20 });
  await belay.ready({ timeoutMs: 5000 });
  writeSync(1, "READY\\n");
  for (let unit = 0; ; ) {
    for (let more = 0; more < 7; more += 1) belay.value("pricing", { targetingKey: RUN + "-" + unit++ }, "none");
    await new Promise((resolve) => setTimeout(resolve, 1));
    writeSync(1, belay.report().spooled + "\\n");
  }`;

async function runUntilKilled(door: SdkDoor, spool: string, run: string, lifeMs: number): Promise<number> {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", PROGRAM], {
    cwd: PACKAGE,
    env: { PATH: process.env["PATH"], DOOR: door.url, SPOOL: spool, RUN: run },
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let text = "";
  const closed = once(child, "close");
  child.stdout.on("data", (chunk: Buffer) => {
    if (text === "") setTimeout(() => child.kill("SIGKILL"), lifeMs);
    text += chunk;
  });
  await closed;
  return Number(text.slice(0, text.lastIndexOf("\n")).split("\n").at(-1)?.replace("READY", "0"));
}

describe("an application that is killed", () => {
  it(`${KILLS} times, seed ${SEED}: every event that was on its disk arrives, and none twice`, async () => {
    const dice = seeded(SEED);
    const { path: spool, remove } = await tempDir("spool");
    const door = await startSdkDoor({ sdkKey: "sdk-1", snapshot: snapshotOf(7, { pricing: experiment() }) });
    onTestFinished(async () => {
      await door.stop();
      await remove();
    });
    const faults = [undefined, doorFaults.hang, doorFaults.loseAnswer, doorFaults.status(503), doorFaults.delay(30)];
    const spooled: number[] = [];
    for (let run = 0; run < KILLS; run += 1) {
      door.behave("events", dice.pick(faults));
      spooled.push(await runUntilKilled(door, spool, `run-${run}`, dice.below(250)));
    }
    door.behave("events", undefined);
    const last = runUntilKilled(door, spool, "last", 3_000);
    const expected = spooled.flatMap((count, run) => Array.from({ length: count }, (_, unit) => `run-${run}-${unit}`));
    const arrived = (): string[] => door.events.map((event) => String(event["unit"]));
    const missing = (): string[] => {
      const there = new Set(arrived());
      return expected.filter((unit) => !there.has(unit));
    };
    await expect.poll(missing, { timeout: 10_000 }).toEqual([]);
    await last;
    const units = arrived();
    expect(new Set(units).size).toBe(units.length);
    expect(spooled.reduce((sum, count) => sum + count)).toBeGreaterThan(1_000);
    checkNumbers(door);
  }, 120_000);
});

/** Each instance's numbers still name its own units in its own order, also where somebody else sent them. */
function checkNumbers(door: SdkDoor): void {
  const stored = new Map<string, number>();
  for (const { instance, variant } of door.events) {
    const arm = `${instance}/exp-1/${variant}`;
    stored.set(arm, (stored.get(arm) ?? 0) + 1);
  }
  // What a process had told and not yet handed to its disk died with it: one turn's worth at most.
  for (const [arm, count] of stored) {
    const lost = (door.ledgers.get(arm)?.produced ?? 0) - count;
    expect(lost, arm).toBeGreaterThanOrEqual(0);
    expect(lost, arm).toBeLessThanOrEqual(7);
  }
  const byInstance = new Map<string, Set<string>>();
  for (const { instance, seq, unit } of door.events) {
    const [, run, number] = /^(.*)-(\d+)$/.exec(String(unit)) as unknown as [string, string, string];
    expect(seq).toBe(Number(number) + 1);
    byInstance.set(instance, (byInstance.get(instance) ?? new Set()).add(run));
  }
  for (const runs of byInstance.values()) expect(runs.size).toBe(1);
}
