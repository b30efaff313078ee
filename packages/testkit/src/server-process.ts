import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "./free-port.ts";
import { tempDir } from "./temp-dir.ts";

/** The built server of this repository, seen from src/ and from dist/ alike. */
const MAIN = fileURLToPath(new URL("../../server/dist/main.js", import.meta.url));

/** What to start instead: benchmarks measure the bundle that people run, tests what the compiler wrote last. */
const OTHER_PROGRAM = process.env["BELAY_TESTKIT_SERVER"];

/** Loaded before the server's program where its clock can be moved. */
const MOVED_CLOCK = new URL("../src/moved-clock.fixture.mjs", import.meta.url).href;

const READY_TIMEOUT_MS = 45_000;
const STOP_TIMEOUT_MS = 10_000;
const PORT_ATTEMPTS = 5;

export interface ServerOptions {
  /** Where the server keeps its data. Absent: a folder of its own that goes away when the process ended. */
  readonly dataDir?: string;
  /** Absent: a free one. Give one to start again at the same address. */
  readonly port?: number;
  /** Further environment of the process, for example `BELAY_LOG`; it wins over what is set here. */
  readonly env?: Readonly<Record<string, string>>;
  /** The server's program. Absent: the one `BELAY_TESTKIT_SERVER` names, else `packages/server/dist/main.js`. */
  readonly program?: string;
  /** Lets `moveClock` work; the server's wall clock is right at first. */
  readonly hasMovableClock?: boolean;
}

/** How a process ended: exactly one of the two is present. */
export interface Exit {
  readonly code?: number;
  readonly signal?: NodeJS.Signals;
}

/** A real server in a process of its own, on 127.0.0.1. */
export interface ServerProcess {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly dataDir: string;
  /** A token that may do everything. */
  readonly adminToken: string;
  /** All it wrote to its terminal so far. */
  readonly output: () => string;
  /** Settles when the process ended, whatever ended it. */
  readonly exited: Promise<Exit>;
  /** Sets its wall clock off by so many milliseconds, at once; its timers do not notice. Needs `hasMovableClock`. */
  readonly moveClock: (offsetMs: number) => Promise<void>;
  /** Asks it to end (SIGTERM) and waits; after 10 s it is killed, which the answer shows. */
  readonly stop: () => Promise<Exit>;
  /** Kills it at once (SIGKILL), as a crash would. */
  readonly kill: () => Promise<Exit>;
}

/** The token every server of the testkit is given at its first start. */
export const ADMIN_TOKEN = "belay-testkit-admin-token-0123456789abcdef";

// A test that fails half-way must not leave its server behind.
const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/**
 * Starts the built server and waits until `/health/ready` answers 200.
 *
 * @throws Error with the server's own output when it ends or is not ready within 45 s, or when it was never built.
 */
export async function startServer(options: ServerOptions = {}): Promise<ServerProcess> {
  const { program = OTHER_PROGRAM ?? MAIN } = options;
  if (!existsSync(program)) throw new Error("The server is not built; run `npx tsc -b packages/server`.");
  for (let attempt = 1; ; attempt += 1) {
    const server = await launch(program, options);
    if ((await whenReady(server)) === "ready") return server;
    await server.kill();
    const portWasTaken = options.port === undefined && /EADDRINUSE|in use|is taken/i.test(server.output());
    if (!portWasTaken || attempt === PORT_ATTEMPTS) throw new Error(`The server did not become ready:\n${server.output()}`);
  }
}

async function launch(program: string, { dataDir, port, env, hasMovableClock = false }: ServerOptions): Promise<ServerProcess> {
  const own = dataDir === undefined ? await tempDir("server") : undefined;
  const folder = dataDir ?? (own?.path as string);
  const listenOn = port ?? (await freePort());
  const clockFile = join(folder, "test-clock");
  if (hasMovableClock) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeFile(clockFile, "0");
  }
  const child = spawn(process.execPath, [program], {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      BELAY_HOST: "127.0.0.1",
      BELAY_PORT: String(listenOn),
      BELAY_DATA: folder,
      BELAY_ADMIN_TOKEN: ADMIN_TOKEN,
      ...(hasMovableClock ? { BELAY_TEST_CLOCK_FILE: clockFile, NODE_OPTIONS: `--import ${MOVED_CLOCK}` } : {}),
      ...env,
    },
  });
  running.add(child);
  const output = collectOutput(child);
  const exited = whenEnded(child).then(async (exit) => {
    running.delete(child);
    await own?.remove();
    return exit;
  });
  return {
    url: `http://127.0.0.1:${listenOn}`,
    port: listenOn,
    pid: child.pid ?? 0,
    dataDir: folder,
    adminToken: ADMIN_TOKEN,
    output,
    exited,
    moveClock: async (offsetMs) => {
      if (!hasMovableClock) throw new Error("Start the server with hasMovableClock.");
      await writeFile(clockFile, String(offsetMs));
      child.kill("SIGUSR2");
    },
    stop: () => stop(child, exited),
    kill: () => {
      child.kill("SIGKILL");
      return exited;
    },
  };
}

function collectOutput(child: ChildProcess): () => string {
  let text = "";
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  return () => text;
}

function whenEnded(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(signal === null ? { code: code ?? 0 } : { signal }));
  });
}

async function stop(child: ChildProcess, exited: Promise<Exit>): Promise<Exit> {
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
  const exit = await exited;
  clearTimeout(timer);
  return exit;
}

async function whenReady(server: ServerProcess): Promise<"ready" | "ended" | "late"> {
  let ended = false;
  void server.exited.then(() => {
    ended = true;
  });
  const deadline = Date.now() + READY_TIMEOUT_MS;
  while (Date.now() < deadline) {
    if (ended) return "ended";
    if (await answersReady(server.url)) return "ready";
    await sleep(20);
  }
  return "late";
}

async function answersReady(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(1_000) });
    await answer.arrayBuffer();
    return answer.status === 200;
  } catch {
    return false; // not listening yet
  }
}
