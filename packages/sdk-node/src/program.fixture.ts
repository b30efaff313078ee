import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { SdkDoor } from "@belay/testkit";
import { onTestFinished } from "vitest";

export const PACKAGE: string = fileURLToPath(new URL("..", import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly text: string;
  /** From READY, or from the start of a program that does not say it, to the end. */
  readonly endMs: number;
}

const PRELUDE = `
  import { createClient } from "@belay/sdk-node";
  const belay = createClient({ url: process.env.DOOR, sdkKey: "sdk-1", ...JSON.parse(process.env.OPTIONS ?? "{}") });
  await belay.ready({ timeoutMs: 1000 });
  const expose = (count) => {
    for (let n = 0; n < count; n += 1) belay.value("pricing", { targetingKey: "user-" + n }, "none");
  };
`;

/** A program that stays until it is ended from outside. */
export const STAYS = `setInterval(() => {}, 1000); console.log("READY");`;

/** Runs a program with a client, as an installed application would; `signal` is sent when it says READY. */
export function startProgram(
  door: SdkDoor,
  program: string,
  { signal, options = {} }: { signal?: NodeJS.Signals; options?: object } = {},
): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", PRELUDE + program], {
    cwd: PACKAGE,
    env: { PATH: process.env["PATH"], DOOR: door.url, OPTIONS: JSON.stringify(options) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let text = "";
  let fromMs = performance.now();
  child.stdout.on("data", (chunk: Buffer) => {
    const wasReady = text.includes("READY");
    text += chunk;
    if (wasReady || !text.includes("READY")) return;
    fromMs = performance.now();
    if (signal !== undefined) child.kill(signal);
  });
  child.stderr.on("data", (chunk: Buffer) => {
    text += chunk;
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (code, endSignal) => resolve({ code, signal: endSignal, text, endMs: performance.now() - fromMs }));
  });
  return { child, ended };
}
