#!/usr/bin/env node
import { readConfig } from "./config.ts";
import { startServer } from "./server.ts";

/** How long an orderly end may take before the process ends anyway. */
const STOP_TIMEOUT_MS = 4_500;

try {
  const server = await startServer(readConfig(process.env));
  process.stdout.write(`${server.greeting}\n`);
  const stop = (): void => {
    setTimeout(() => process.exit(1), STOP_TIMEOUT_MS).unref();
    void server.close().then(() => process.exit(0));
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
} catch (error) {
  process.stderr.write(`Belay did not start. ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
