/*
 * How an application ends, with real processes: each runs a few lines against the built packages, as an installed
 * application would, and is watched from outside.
 */
import { existsSync } from "node:fs";
import { doorFaults, type SdkDoor, startSdkDoor } from "@belay/testkit";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Ended, PACKAGE, STAYS, startProgram } from "./program.fixture.ts";
import { experiment, snapshotOf } from "./rules.fixture.ts";

let door: SdkDoor;

function run(program: string, how: { signal?: NodeJS.Signals; options?: object } = {}): Promise<Ended> {
  return startProgram(door, program, how).ended;
}

beforeAll(() => {
  expect(existsSync(`${PACKAGE}/dist/index.js`), "the packages must be built: npx tsc -b packages/sdk-node").toBe(true);
});

beforeEach(async () => {
  door = await startSdkDoor({ sdkKey: "sdk-1", snapshot: snapshotOf(7, { pricing: experiment() }) });
  return () => door.stop().catch(() => {});
});

describe("fault 27: 250 exposures are all stored", () => {
  it("when the program comes to its natural end, with a stream open", async () => {
    const ended = await run(`expose(250); console.log("READY");`);
    expect(door.events).toHaveLength(250);
    expect(ended).toMatchObject({ code: 0, signal: null });
    expect(ended.endMs).toBeLessThan(5_000);
  });

  it.each(["SIGTERM", "SIGINT"] as const)(
    "when %s comes to a program that does not listen for it, which then dies of it",
    async (signal) => {
      const ended = await run(`expose(250); ${STAYS}`, { signal });
      expect(door.events).toHaveLength(250);
      expect(ended).toMatchObject({ code: null, signal });
      expect(ended.endMs).toBeLessThan(5_000);
    },
  );

  it("when SIGTERM comes to a program that ends by itself, with its own exit code", async () => {
    const ended = await run(`process.once("SIGTERM", () => setTimeout(() => process.exit(7), 500)); expose(250); ${STAYS}`, {
      signal: "SIGTERM",
    });
    expect(door.events).toHaveLength(250);
    expect(ended).toMatchObject({ code: 7, signal: null });
  });

  it("when close() is awaited before process.exit", async () => {
    const ended = await run(
      `expose(250); console.log("READY"); console.log(JSON.stringify(await belay.close())); process.exit(3);`,
    );
    expect(door.events).toHaveLength(250);
    expect(ended.code).toBe(3);
    expect(ended.text).toContain('{"produced":250,"stored":250,"dropped":0,"queued":0,"rejected":0}');
  });

  it("of two clients of one process", async () => {
    const second = `const other = createClient({ url: process.env.DOOR, sdkKey: "sdk-1" }); await other.ready();`;
    await run(
      `${second} expose(250); for (let n = 0; n < 250; n += 1) other.value("pricing", { targetingKey: "other-" + n }, "none"); ${STAYS}`,
      {
        signal: "SIGTERM",
      },
    );
    expect(door.events).toHaveLength(500);
  });
});

describe("fault 27: with a server that is gone the process ends all the same, and says what was lost", () => {
  it.each([
    ["refuses", async () => door.stop()],
    ["never answers", async () => door.behave("events", doorFaults.hang)],
    ["is overloaded", async () => door.behave("events", doorFaults.status(503, { "retry-after": "120" }))],
  ] as const)("a server that %s, SIGTERM: within 5 s", async (_name, spoil) => {
    door.behave("events", ({ response }) => response.destroy());
    const program = `
      setInterval(() => {}, 1000);
      await new Promise((resolve) => setTimeout(resolve, 300));
      expose(250);
      console.log("READY");`;
    const ended = run(program, { signal: "SIGTERM" });
    await expect.poll(() => door.count("stream"), { timeout: 5_000 }).toBe(1);
    await expect.poll(() => door.openStreams, { timeout: 5_000 }).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await spoil();
    const { signal, text, endMs } = await ended;
    expect(signal).toBe("SIGTERM");
    expect(text).toContain("closed with 250 of 250 events dropped; 0 are stored");
    expect(endMs).toBeLessThan(5_000);
  });

  it("at its natural end: within 5 s, with its own exit code", async () => {
    door.behave("events", doorFaults.hang);
    const { code, text, endMs } = await run(`process.exitCode = 4; expose(250); console.log("READY");`);
    expect(code).toBe(4);
    expect(text).toContain("closed with 250 of 250 events dropped; 0 are stored");
    expect(endMs).toBeLessThan(5_000);
  });

  it("by process.exit without close(): at once, and it says how many were not sent", async () => {
    const { code, text } = await run(`expose(250); process.exit(5);`);
    expect(code).toBe(5);
    expect(text).toContain("the process ended by process.exit with 250 events not sent; call close() before it");
  });
});

describe("the application's own way of ending", () => {
  it("is not touched with flushOnExit: false", async () => {
    const ended = await run(`console.log(process.listenerCount("SIGTERM")); ${STAYS}`, {
      signal: "SIGTERM",
      options: { flushOnExit: false },
    });
    expect(ended).toMatchObject({ code: null, signal: "SIGTERM" });
    expect(ended.text).toMatch(/^0\n/);
  });

  it("is given back by close(): no listener stays", async () => {
    const names = `["SIGTERM", "SIGINT", "beforeExit"].map((name) => process.listenerCount(name)).join()`;
    const ended = await run(`console.log(${names}); await belay.close(); console.log(${names});`);
    expect(ended.text).toBe("1,1,1\n0,0,0\n");
    expect(ended.code).toBe(0);
  });

  it("a program with nothing left to do ends at once, stream or not", async () => {
    const ended = await run(`console.log("READY");`);
    expect(ended.code).toBe(0);
    expect(ended.endMs).toBeLessThan(1_000);
  });

  it("a program that only waits for ready() of a server that is away ends with code 0", async () => {
    await door.stop();
    const ended = await run(`console.log(belay.state); console.log("READY");`, { options: { url: "http://127.0.0.1:9" } });
    expect(ended.code).toBe(0);
    expect(ended.text).toContain("starting");
  });
});
