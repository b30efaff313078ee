import { spawn, spawnSync } from "node:child_process";
import { readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ROOT } from "./install.mjs";

const CGROUPS = "/belay-test-compose";
const START_TIMEOUT_MS = 30_000;

/**
 * Docker's engine in namespaces of its own, so that its mounts, networks and rules of the firewall end with it and a Docker of
 * the machine is left alone.
 *
 * @typedef {object} Engine
 * @property {(...args: string[]) => string} docker runs `docker`; what it printed. Throws with that when it fails.
 * @property {(environment: Record<string, string>, ...args: string[]) => string} compose runs `docker-compose` on this repository
 * @property {(program: string) => string} inside what a program of Node prints that runs in the engine's network
 * @property {() => Promise<void>} stop
 */

/**
 * @param {{ folder: string, network: "own" | "machine" }} options `own`: containers are reached from nowhere else and reach nothing;
 *   `machine`: only to build, without networks of containers, with what the machine reaches
 * @returns {Promise<Engine>}
 * @throws Error with the engine's log where it does not start, as where namespaces or mounts are forbidden
 */
export async function startEngine({ folder, network }) {
  const socket = `unix://${join(folder, "engine.sock")}`;
  const place = ["--data-root", join(folder, "data"), "--exec-root", join(folder, "exec"), "-H", socket];
  const limits = ["--pidfile", join(folder, "pid"), "--cgroup-parent", CGROUPS];
  const reach = network === "own" ? [] : ["--iptables=false", "--ip-forward=false", "--bridge=none"];
  // The engine writes a key into /etc/docker.
  const script = 'mkdir -p /etc/docker && mount -t tmpfs none /etc/docker && ip link set lo up && exec dockerd "$@"';
  const own = ["-m", "-p", "--fork", "--mount-proc", "--kill-child", ...(network === "own" ? ["-n"] : [])];
  const engine = spawn("unshare", [...own, "sh", "-c", script, "sh", ...place, ...limits, ...reach], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  for (const stream of [engine.stdout, engine.stderr]) stream.on("data", (chunk) => (log += chunk));
  const ended = new Promise((resolve) => engine.once("close", resolve));
  const environment = { ...process.env, DOCKER_HOST: socket, DOCKER_CONFIG: folder, DOCKER_BUILDKIT: "0" };
  const inner = () => readFileSync(`/proc/${engine.pid}/task/${engine.pid}/children`, "utf8").trim();
  /** @type {Engine} */
  const started = {
    docker: (...args) => run("docker", args, environment),
    compose: (more, ...args) => run("docker-compose", ["-p", "belaytest", ...args], { ...environment, ...more }),
    inside: (program) =>
      run("nsenter", ["-t", inner(), "-n", process.execPath, "--input-type=module", "-e", program], environment),
    stop: async () => {
      if (engine.exitCode === null) process.kill(Number(inner()), "SIGTERM");
      await ended;
      removeCgroups();
    },
  };
  for (const since = performance.now(); ; await sleep(100)) {
    if (spawnSync("docker", ["info"], { env: environment }).status === 0) return started;
    const isOver = engine.exitCode !== null || performance.now() - since > START_TIMEOUT_MS;
    if (isOver) throw new Error(`no container engine runs here:\n${log.slice(-2_000)}`);
  }
}

/** @param {string} program @param {readonly string[]} args @param {NodeJS.ProcessEnv} env @returns {string} */
export function run(program, args, env = process.env) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: ROOT, env, encoding: "utf8", maxBuffer: 2 ** 28 });
  if (error !== undefined) throw error;
  if (status !== 0)
    throw new Error(`${program} ${args.join(" ")} ended with ${status}:\n${stdout.slice(-4_000)}${stderr.slice(-4_000)}`);
  return stdout;
}

/** Empty ones are all that is left of the containers. */
function removeCgroups() {
  const { stdout } = spawnSync("find", ["/sys/fs/cgroup", "-depth", "-type", "d", "-path", `*${CGROUPS}*`], { encoding: "utf8" });
  for (const folder of stdout.split("\n").filter(Boolean)) rmdirSync(folder);
}
