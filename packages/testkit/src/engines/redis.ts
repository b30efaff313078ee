import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../free-port.ts";
import { tempDir } from "../temp-dir.ts";
import { type EngineProcess, launch, programPath } from "./engine-process.ts";

/** What to do where there is no Redis: the end of a loud line. */
export const REDIS_HINT = "apt-get install redis-server";

/** A Redis server of a test's own, which keeps nothing over `kill`. */
export interface RedisServer {
  /** `redis://127.0.0.1:12345`. */
  readonly url: string;
  readonly port: number;
  /** `SIGSTOP` hangs it, `SIGCONT` lets it go on. */
  readonly signal: (signal: NodeJS.Signals) => void;
  /** Sends one command of words without spaces; what it answers, as it came. */
  readonly command: (...words: readonly string[]) => Promise<string>;
  /** Kills it at once, as a crash would. */
  readonly kill: () => Promise<void>;
  /** Starts it again on its port, empty. */
  readonly start: () => Promise<void>;
  /** Ends it for good. */
  readonly stop: () => Promise<void>;
}

/** Is the server's program on this machine? */
export function hasRedis(): boolean {
  return programPath(PROGRAM) !== undefined;
}

/** A server alone, the only node of a cluster, or a sentinel that watches a master it calls `main`. */
export type RedisRole = { readonly kind: "alone" | "cluster" } | { readonly kind: "sentinel"; readonly masterPort: number };

/** Starts a server of one's own on a free port. @throws Error with what it wrote when it is not ready. */
export async function startRedis(role: RedisRole = { kind: "alone" }): Promise<RedisServer> {
  const command = programPath(PROGRAM);
  if (command === undefined) throw new Error(`There is no Redis: ${REDIS_HINT}.`);
  const folder = await tempDir("redis");
  const port = await portFor(role);
  const args = await argumentsOf(role, { port, folder: folder.path });
  const isReady = async (): Promise<boolean> => (await ask(port, ["PING"]).catch(() => "")) === "+PONG\r\n";
  const start = async (): Promise<EngineProcess> => {
    const started = await launch({ command, args, isReady });
    if (role.kind === "cluster") await takeAllSlots(port);
    return started;
  };
  let process = await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    signal: (signal) => process.signal(signal),
    command: (...words) => ask(port, words),
    kill: () => process.kill(),
    start: async () => {
      process = await start();
    },
    stop: async () => {
      await process.kill();
      await folder.remove();
    },
  };
}

const PROGRAM = "redis-server";

/** A node of a cluster listens 10,000 above its port too: not where systems take the ports of outgoing connections from. */
async function portFor({ kind }: RedisRole): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (kind !== "cluster" || port + 10_000 < 32_768) return port;
  }
}

async function argumentsOf(role: RedisRole, { port, folder }: { port: number; folder: string }): Promise<string[]> {
  const place = ["--bind", "127.0.0.1", "--port", String(port), "--dir", folder];
  if (role.kind === "sentinel") {
    const file = join(folder, "sentinel.conf");
    await writeFile(file, `sentinel monitor main 127.0.0.1 ${role.masterPort} 1\n`);
    return [file, ...place, "--sentinel"];
  }
  // A node that never met another one does not know its address.
  const announced = ["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-announce-ip", "127.0.0.1"];
  const cluster = role.kind === "cluster" ? announced : [];
  return [...place, "--save", "", "--appendonly", "no", ...cluster];
}

/** A cluster answers once every slot of keys has a node. After a restart it has them already, and says so. */
async function takeAllSlots(port: number): Promise<void> {
  await ask(port, ["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
  for (let turn = 0; turn < 500; turn += 1) {
    if ((await ask(port, ["CLUSTER", "INFO"])).includes("cluster_state:ok")) return;
    await sleep(20);
  }
  throw new Error("The cluster of Redis did not become whole.");
}

/** One inline command on a connection of its own, and the first piece of its answer. */
function ask(port: number, words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    socket.setTimeout(1_000, () => socket.destroy(new Error("Redis does not answer")));
    socket.once("error", reject);
    socket.once("data", (bytes) => {
      resolve(bytes.toString("utf8"));
      socket.destroy();
    });
    socket.write(`${words.join(" ")}\r\n`);
  });
}
