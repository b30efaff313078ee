/*
 * Whose folder of the spool is this, and does that one still live? Node has no file locks, so the answer is made of two
 * parts, and a folder is taken over only by renaming it, which one process can do and no two.
 *
 * 1. On the same machine and in the same space of process ids the kernel knows: is there a process of that id that was
 *    started at that moment? The moment tells it from a later one that was given the same id.
 * 2. Everywhere else (another machine on a shared disk, another container) the owner touches its file every 15 s, and
 *    one that was not touched for a minute is taken for dead. A process that was frozen for a minute and goes on may then
 *    find its folder gone: its events are sent by the other one, and by itself where it still has them in memory, under
 *    the same numbers, so the server counts them once.
 */
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** Who made a folder. */
export interface Owner {
  readonly pid: number;
  /** One run of one machine, and its space of process ids. */
  readonly machine: string;
  /** When the process started, in the machine's own ticks; empty where the system does not tell. */
  readonly started: string;
}

/** An owner's file is touched this often, and its owner taken for dead when it was not for so long. */
export const LEASE: { readonly touchMs: number; readonly expiredMs: number } = { touchMs: 15_000, expiredMs: 60_000 };

export function thisProcess(): Owner {
  return { pid: process.pid, machine: machine(), started: startOf(process.pid) ?? "" };
}

/**
 * Is the owner dead for sure?
 *
 * @param text content of its file; anything else than an owner says nothing
 * @param untouchedMs since it last touched the file
 */
export function isGone(text: string, untouchedMs: number): boolean {
  const owner = readOwner(text);
  if (owner === undefined || owner.machine !== machine()) return untouchedMs > LEASE.expiredMs;
  if (owner.started !== "") return startOf(owner.pid) !== owner.started;
  return !isRunning(owner.pid) || untouchedMs > LEASE.expiredMs;
}

function readOwner(text: string): Owner | undefined {
  try {
    const owner = JSON.parse(text) as Partial<Owner> | null;
    const isOwner = Number.isInteger(owner?.pid) && typeof owner?.machine === "string" && typeof owner.started === "string";
    return isOwner ? (owner as Owner) : undefined;
  } catch {
    return undefined;
  }
}

function machine(): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return hostname();
  }
}

/** When a process started, or `undefined` where there is none of that id, or the system does not tell. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name of the program stands in brackets and may hold anything; the start is the 20th field behind it.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A killed process that nobody has waited for yet still has an entry, and will never write again.
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Not ours to signal is there, too.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
