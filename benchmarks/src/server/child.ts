import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { freePort } from "@belay/testkit";
import type { Asked } from "./asking.ts";

export interface Child extends Asked {
  readonly stop: () => Promise<void>;
}

// A run that fails half-way must not leave its servers behind.
const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

const READY_MS = 120_000;

/** Starts a server's program and waits until it prints `ready`. @throws Error with what it said when it ends or is too slow */
export async function startChild(
  program: string,
  { env = {}, input = "" }: { readonly env?: Readonly<Record<string, string>>; readonly input?: string } = {},
): Promise<Child> {
  const port = await freePort();
  const child = spawn(process.execPath, [program], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, ...env, PORT: String(port) },
  });
  running.add(child);
  child.stdin.end(`${input}\n`);
  let said = "";
  const ready = new Promise<void>((resolve, reject) => {
    const hear = (text: Buffer): void => {
      said += text;
      if (/^ready$/m.test(said)) resolve();
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.once("exit", () => reject(new Error(`${program} ended: ${said.slice(-2_000)}`)));
    setTimeout(() => reject(new Error(`${program} was not ready: ${said.slice(-2_000)}`)), READY_MS).unref();
  });
  await ready;
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    stop: async () => {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
      running.delete(child);
    },
  };
}
