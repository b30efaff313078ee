/* What a process leaves in its spool when it ends, by any way but `kill -9`, and who sends it. Real processes. */
import { readdir } from "node:fs/promises";
import { doorFaults, type SdkDoor, startSdkDoor, tempDir } from "@belay/testkit";
import { beforeEach, describe, expect, it } from "vitest";
import { STAYS, startProgram } from "../program.fixture.ts";
import { experiment, snapshotOf } from "../rules.fixture.ts";

const RULES = snapshotOf(7, { pricing: experiment() });
const EXPOSE_250 = `expose(250);`;

let door: SdkDoor;
let options: { readonly spoolDir: string };

beforeEach(async () => {
  door = await startSdkDoor({ sdkKey: "sdk-1", snapshot: RULES });
  const { path, remove } = await tempDir("spool");
  options = { spoolDir: path };
  return async () => {
    await door.stop();
    await remove();
  };
});

/** Starts a program that does nothing, until the door has so many events and the spool is empty. */
async function nextStart(events: number): Promise<void> {
  const { child, ended } = startProgram(door, STAYS, { options });
  await expect.poll(() => door.events.length, { timeout: 10_000 }).toBe(events);
  child.kill("SIGTERM");
  await ended;
  // The folder of this server and key stays.
  expect(await readdir(options.spoolDir, { recursive: true })).toHaveLength(1);
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1);

describe("with a spool and a server that never answers", () => {
  it.each([
    ["SIGTERM", STAYS, "SIGTERM"],
    ["its natural end", "", undefined],
    ["process.exit without close()", "process.exit(0);", undefined],
    ["an error that nobody catches", `throw new Error("of the application");`, undefined],
  ] as const)(
    "%s loses nothing: the next start sends all 250, as the process that is gone would have",
    async (_name, ending, signal) => {
      door.behave("events", doorFaults.hang);
      const how = signal === undefined ? { options } : { options, signal };
      const { text } = await startProgram(door, EXPOSE_250 + ending, how).ended;
      expect(text).not.toContain("dropped");
      expect(door.events).toHaveLength(0);
      door.behave("events", undefined);
      await nextStart(250);
      expect(door.events.map((event) => [event.seq, event["unit"]])).toEqual(numbers(250).map((seq) => [seq, `user-${seq - 1}`]));
      expect(new Set(door.events.map((event) => event.instance)).size).toBe(1);
      const totals = [...door.ledgers.values()];
      expect(totals.reduce((sum, { produced }) => sum + produced, 0)).toBe(250);
      expect(totals.map(({ dropped }) => dropped)).toEqual([0, 0]);
    },
  );

  it("close() calls what it leaves there queued, and not dropped", async () => {
    door.behave("events", doorFaults.hang);
    const closing = `console.log(JSON.stringify(await belay.close({ deadlineMs: 100 })));`;
    const { text } = await startProgram(door, EXPOSE_250 + closing, { options }).ended;
    expect(text).toContain('{"produced":250,"stored":0,"dropped":0,"queued":250,"rejected":0,"spooled":250}');
  });
});

describe("a spool", () => {
  it("is empty after a process whose events were all stored", async () => {
    await startProgram(door, EXPOSE_250, { options }).ended;
    expect(door.events).toHaveLength(250);
    expect(await readdir(options.spoolDir, { recursive: true })).toHaveLength(1);
  });

  it("shared by two processes that live: each sends its own and nothing of the other", async () => {
    door.behave("events", doorFaults.status(503));
    const batches = () =>
      door.requests
        .filter((request) => request.door === "events")
        .map(({ text }) => JSON.parse(text) as { batchId: string; instance: string });
    const first = startProgram(door, `expose(100); ${STAYS}`, { options });
    await expect.poll(batches).not.toEqual([]);
    const second = startProgram(door, `expose(100); ${STAYS}`, { options });
    await expect.poll(() => new Set(batches().map(({ instance }) => instance)).size).toBe(2);
    door.behave("events", undefined);
    await expect.poll(() => door.events.length, { timeout: 40_000 }).toBe(200);
    // Who sends for another names the batch after itself, too.
    for (const { batchId, instance } of batches()) expect(batchId).toMatch(new RegExp(`^${instance}-\\d+$`));
    expect(door.duplicates).toBe(0);
    for (const { child } of [first, second]) child.kill("SIGTERM");
    await Promise.all([first.ended, second.ended]);
  });

  it("of another key is left alone", async () => {
    const other = { ...options, sdkKey: "sdk-2", bootstrap: RULES };
    await startProgram(door, "expose(5); process.exit(0);", { options: other }).ended;
    await startProgram(door, "expose(1); await belay.close();", { options }).ended;
    expect(door.events.map((event) => event["unit"])).toEqual(["user-0"]);
    const left = (await readdir(options.spoolDir, { recursive: true })).filter((name) => name.endsWith(".events"));
    expect(left).toHaveLength(1);
  });
});
