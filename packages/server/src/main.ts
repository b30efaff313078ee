#!/usr/bin/env node
import { type Config, readConfig } from "./config.ts";
import type { RunningServer } from "./running-server.ts";

/** How long an orderly end may take before the process ends anyway. */
const STOP_TIMEOUT_MS = 4_500;

const [command = "serve", ...args] = process.argv.slice(2);
try {
  if (command === "serve") await serve();
  else await (await import("./backups/commands.ts")).runCommand(command, args);
} catch (error) {
  const failed = command === "serve" ? "Belay did not start." : `${command} failed.`;
  process.stderr.write(`${failed} ${wordsOf(error)}\n`);
  process.exitCode = 1;
}

async function serve(): Promise<void> {
  let server: RunningServer | undefined;
  const stop = (): void => {
    // One that still starts has promised nothing yet. It has to say so itself: as a container's first process it would not hear
    // a signal that nobody listens to, and be killed once the time there is to end is over.
    if (server === undefined) process.exit(0);
    setTimeout(() => process.exit(1), STOP_TIMEOUT_MS).unref();
    void server.close().then(
      () => process.exit(0),
      (error) => {
        process.stderr.write(`Belay did not end in good order. ${wordsOf(error)}\n`);
        process.exit(1);
      },
    );
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  server = await started(readConfig(process.env));
  process.stdout.write(`${server.greeting}\n`);
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Each reads what it needs and no more: a relay does without databases, their drivers and the control plane. */
async function started(config: Config): Promise<RunningServer> {
  if (config.upstream === undefined) return (await import("./server.ts")).startServer(config);
  return (await import("./relays/relay.ts")).startRelay(config, config.upstream);
}
