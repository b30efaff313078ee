// Memory of the idle server, all its processes, some seconds after its start. Reads /proc, so it runs on Linux only.
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { startServer } from "@belay/testkit";
import { connectControl } from "./control.ts";

const IDLE_SECONDS = 10;

const server = await startServer();
await connectControl(server);
await sleep(IDLE_SECONDS * 1_000);
for (const pid of [server.pid, ...childrenOf(server.pid)])
  console.log(`process ${pid}: ${residentMb(pid).toFixed(1)} MB resident`);
await server.stop();

function childrenOf(parent: number): number[] {
  const children = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => statusOf(pid, "PPid") === String(parent));
  return children.flatMap((pid) => [pid, ...childrenOf(pid)]);
}

function residentMb(pid: number): number {
  return Number.parseInt(statusOf(pid, "VmRSS") ?? "0", 10) / 1_024;
}

function statusOf(pid: number, field: string): string | undefined {
  try {
    return new RegExp(`^${field}:\\s*(.*)$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  } catch {
    return undefined; // ended meanwhile
  }
}
