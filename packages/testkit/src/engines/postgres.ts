import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { chown } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort } from "../free-port.ts";
import { tempDir } from "../temp-dir.ts";
import { type EngineProcess, type Launch, launch, programPath } from "./engine-process.ts";

/** What to do where there is no PostgreSQL: the end of a loud line. */
export const POSTGRES_HINT =
  "apt-get install postgresql, or set BELAY_TEST_POSTGRES_URL to a server in which tests may make databases";

/** A PostgreSQL server of a test's own. Its data outlives `kill` and `start`, and goes away with `stop`. */
export interface PostgresServer {
  /** Address of its database `postgres`: `postgres://postgres@127.0.0.1:12345/postgres`. */
  readonly url: string;
  readonly port: number;
  /** Where its Unix socket is: a way to it that is no network's. */
  readonly socketFolder: string;
  /** To the server and every process of a connection: `SIGSTOP` hangs it whole. */
  readonly signal: (signal: NodeJS.Signals) => Promise<void>;
  /** Kills it at once, as a crash would. */
  readonly kill: () => Promise<void>;
  /** Starts it again on its port and data. */
  readonly start: () => Promise<void>;
  /** Ends it for good. */
  readonly stop: () => Promise<void>;
}

/** Are the server's programs on this machine? */
export function hasPostgres(): boolean {
  return PROGRAMS.every((name) => program(name) !== undefined);
}

/** Starts a server of one's own in a temporary folder, on a free port. @throws Error with what it wrote when it is not ready. */
export async function startPostgres(): Promise<PostgresServer> {
  const [postgres, initdb, isReady] = PROGRAMS.map(program);
  if (postgres === undefined || initdb === undefined || isReady === undefined)
    throw new Error(`There is no PostgreSQL: ${POSTGRES_HINT}.`);
  const folder = await tempDir("postgres");
  const user = await ownUser();
  if (user !== undefined) await chown(folder.path, user.uid, user.gid);
  const data = join(folder.path, "data");
  await run(initdb, ["-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"], {
    ...user,
    cwd: folder.path,
  });
  const port = await freePort();
  const settings = ["listen_addresses=127.0.0.1", `unix_socket_directories=${folder.path}`, "max_connections=200"];
  const args = ["-D", data, "-p", String(port), ...settings.flatMap((setting) => ["-c", setting])];
  const start = async (): Promise<EngineProcess> =>
    launch({ command: postgres, args, isReady: () => accepts(isReady, port), ...(user === undefined ? {} : { user }) });
  let process = await start();
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    port,
    socketFolder: folder.path,
    signal: async (signal) => {
      for (const pid of await family(process.pid)) killIfThere(pid, signal);
    },
    kill: async () => {
      // Its children notice that the parent is gone and end too, but not while they are stopped.
      const children = await family(process.pid);
      await process.kill();
      for (const pid of children) killIfThere(pid, "SIGKILL");
    },
    start: async () => {
      process = await start();
    },
    stop: async () => {
      const children = await family(process.pid);
      await process.kill();
      for (const pid of children) killIfThere(pid, "SIGKILL");
      await folder.remove();
    },
  };
}

const PROGRAMS: readonly string[] = ["postgres", "initdb", "pg_isready"];

const run = promisify(execFile);

/** Debian keeps the server's programs of each version in a folder of its own, off the path. */
function program(name: string): string | undefined {
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  return versions.map((version) => join(root, version, "bin", name)).find((path) => existsSync(path)) ?? programPath(name);
}

/** PostgreSQL refuses to run as root: the user its package made is used then. */
async function ownUser(): Promise<Launch["user"]> {
  if (process.getuid?.() !== 0) return undefined;
  const [uid, gid] = await Promise.all(["-u", "-g"].map(async (what) => Number((await run("id", [what, "postgres"])).stdout)));
  return { uid: uid ?? 0, gid: gid ?? 0 };
}

/** The server and its children. */
async function family(pid: number): Promise<number[]> {
  const children = await run("ps", ["-o", "pid=", "--ppid", String(pid)]).then(
    ({ stdout }) =>
      stdout
        .split("\n")
        .map(Number)
        .filter((child) => child > 0),
    () => [],
  );
  return [pid, ...children];
}

function killIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended meanwhile.
  }
}

/** Does it take connections? While it recovers it listens, and refuses. */
function accepts(isReady: string, port: number): Promise<boolean> {
  return run(isReady, ["-h", "127.0.0.1", "-p", String(port), "-t", "1"]).then(
    () => true,
    () => false,
  );
}
