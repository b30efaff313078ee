#!/usr/bin/env node
import { runCommand } from "./backups/commands.ts";
import { readConfig } from "./config.ts";
import { startRelay } from "./relays/relay.ts";
import { startServer } from "./server.ts";

/** How long an orderly end may take before the process ends anyway. */
const STOP_TIMEOUT_MS = 4_500;

const [command = "serve", ...args] = process.argv.slice(2);
try {
  if (command === "serve") await serve();
  else await runCommand(command, args);
} catch (error) {
  const failed = command === "serve" ? "Belay did not start." : `${command} failed.`;
  process.stderr.write(`${failed} ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function serve(): Promise<void> {
  const config = readConfig(process.env);
  const server = config.upstream === undefined ? await startServer(config) : await startRelay(config, config.upstream);
  process.stdout.write(`${server.greeting}\n`);
  const stop = (): void => {
    setTimeout(() => process.exit(1), STOP_TIMEOUT_MS).unref();
    void server.close().then(() => process.exit(0));
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
}
