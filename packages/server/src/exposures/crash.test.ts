import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { BatchReceipt, EventBatch } from "@belay/protocol";
import { type Dice, seeded, tempDir } from "@belay/testkit";
import { expect, test } from "vitest";
import { exposureOf } from "../store/events/events.fixture.ts";

/** 200 with `BELAY_KILLS=200`; the quick suite does 20. */
const KILLS = Number(process.env["BELAY_KILLS"] ?? 20);
const SEED = Number(process.env["BELAY_SEED"] ?? 30);
const LANES = 6;

test(
  `fault 30: ${KILLS} kill -9 during ingestion (seed ${SEED}): what was acknowledged is there exactly once`,
  async () => {
    const folder = await tempDir("crash");
    const dice = seeded(SEED);
    const client = new Client(dice);
    for (let kill = 0; kill < KILLS; kill += 1) {
      const server = await start(folder.path);
      const lanes = Array.from({ length: LANES }, () => client.sendUntilCut(server.port));
      await new Promise((resolve) => setTimeout(resolve, 20 + dice.below(300)));
      server.process.kill("SIGKILL");
      await Promise.all([...lanes, once(server.process, "exit")]);
    }

    const server = await start(folder.path);
    const stored = await idsOf(server.port);
    expect(new Set(stored).size).toBe(stored.length);
    const present = new Set(stored);
    expect([...client.acknowledged].filter((id) => !present.has(id))).toEqual([]);
    expect(client.acknowledged.size).toBeGreaterThan(KILLS * LANES);

    // What was never acknowledged comes again, as an SDK sends it, and everything made is there once.
    await client.sendRest(server.port);
    const all = await idsOf(server.port);
    expect(all.length).toBe(client.produced);
    expect(new Set(all).size).toBe(client.produced);
    server.process.send("close");
    expect((await once(server.process, "exit"))[0]).toBe(0);
    await folder.remove();
  },
  60_000 + KILLS * 10_000,
);

/** Several SDK instances in one: each lane sends a batch at a time and repeats it, the same, until it is acknowledged. */
class Client {
  readonly acknowledged = new Set<string>();
  produced = 0;
  readonly #dice: Dice;
  readonly #unacknowledged: EventBatch[] = [];
  readonly #lastSeq = new Map<string, number>();

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  async sendUntilCut(port: number): Promise<void> {
    for (;;) {
      const batch = this.#unacknowledged.pop() ?? this.#make();
      if (!(await this.#send(port, batch))) return;
    }
  }

  async sendRest(port: number): Promise<void> {
    for (let batch = this.#unacknowledged.pop(); batch !== undefined; batch = this.#unacknowledged.pop()) {
      expect(await this.#send(port, batch)).toBe(true);
    }
  }

  async #send(port: number, batch: EventBatch): Promise<boolean> {
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/sdk/v1/events`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(batch),
      });
      const receipt = (await answer.json()) as BatchReceipt;
      expect([answer.status, receipt.accepted + receipt.duplicates]).toEqual([202, batch.exposures?.length]);
      for (const { seq } of batch.exposures ?? []) this.acknowledged.add(`${batch.instance}-${seq}`);
      return true;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      this.#unacknowledged.push(batch);
      return false;
    }
  }

  #make(): EventBatch {
    const instance = `run-${this.#dice.below(5)}`;
    const from = (this.#lastSeq.get(instance) ?? 0) + 1;
    const length = 1 + this.#dice.below(50);
    this.#lastSeq.set(instance, from + length - 1);
    this.produced += length;
    const exposures = Array.from({ length }, (_, index) => exposureOf(from + index));
    return { batchId: `b${this.produced}`, sentAtMs: Date.now(), sdk: "test", instance, exposures };
  }
}

interface Server {
  readonly process: ChildProcess;
  readonly port: number;
}

async function start(directory: string): Promise<Server> {
  const program = fileURLToPath(new URL("ingesting-process.fixture.mjs", import.meta.url));
  const process = fork(program, [directory], { execArgv: [] });
  const [port] = (await once(process, "message")) as [number];
  return { process, port };
}

async function idsOf(port: number): Promise<string[]> {
  const answer = await fetch(`http://127.0.0.1:${port}/api/v1/projects/default/exposures`);
  expect(answer.status).toBe(200);
  // After many short lives there is much to load: until then the pull says how far it is behind.
  if (answer.headers.get("belay-lag-ms") !== "0") return answer.text().then(() => idsOf(port));
  const lines = (await answer.text()).split("\n").filter((line) => line !== "");
  return lines.map((line) => (JSON.parse(line) as { id: string }).id);
}
