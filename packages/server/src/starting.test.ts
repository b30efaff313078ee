import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { freePort, startFaultProxy, tempDir } from "@belay/testkit";
import { expect, it, onTestFinished } from "vitest";
import { withPostgres } from "./store/changes/postgres.fixture.ts";

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));

withPostgres("a start on PostgreSQL", (postgres) => {
  const start = async (databaseUrl: string): Promise<ChildProcess> => {
    const dir = await tempDir("starting");
    const place = { BELAY_DATABASE_URL: databaseUrl, BELAY_DATA: dir.path, BELAY_PORT: String(await freePort()) };
    const server = spawn(process.execPath, [MAIN], { env: { ...process.env, ...place }, stdio: "ignore" });
    const exited = once(server, "exit");
    onTestFinished(async () => {
      server.kill("SIGKILL");
      await exited;
      await dir.remove();
    });
    return server;
  };

  it.each(["SIGTERM", "SIGINT"] as const)("that still waits for its database ends by %s, at once and with 0", async (signal) => {
    const address = new URL(await postgres().database());
    const way = await startFaultProxy(Number(address.port));
    onTestFinished(way.close);
    way.faults.isClosingAtOnce = true;
    address.port = String(way.port);
    const server = await start(address.href);
    await expect.poll(() => way.accepted, { timeout: 45_000 }).toBeGreaterThanOrEqual(2);
    server.kill(signal);
    expect(await once(server, "exit")).toEqual([0, null]);
  });
});
