/*
 * A network of a test's own, which can go away: a Linux network namespace with a loopback interface and nothing else. Taken
 * down it carries nothing and tells nobody, as when a machine lost its power or a cable was pulled: no end, no reset, and the
 * kernel answers for neither side. A proxy cannot do that, for its own ends stay alive.
 */
import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import type { Readable, Writable } from "node:stream";

/** Why no program can have a network of its own here, in words; `undefined` where one can: on Linux, as root. */
export function whyNoOwnNetwork(): string | undefined {
  if (process.platform !== "linux") return "needs Linux";
  if (process.getuid?.() !== 0) return "needs root, to make a network namespace";
  const isMade = spawnSync("unshare", ["--net", "ip", "link", "set", "lo", "up"]).status === 0;
  return isMade ? undefined : "needs unshare and ip, and leave to make a network namespace";
}

/** What takes such a network down, run by a program that is in it. */
export const TAKE_DOWN = ["ip", "link", "set", "lo", "down"] as const;

/** Runs a Node program with a network of its own, up at first. */
export function inOwnNetwork(args: readonly string[]): ChildProcessByStdio<Writable, Readable, null> {
  const program = 'ip link set lo up && exec "$@"';
  return spawn("unshare", ["--net", "sh", "-c", program, "sh", process.execPath, ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
}
