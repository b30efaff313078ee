import { existsSync } from "node:fs";
import { describe, expect, it, onTestFinished } from "vitest";
import { type ServerProcess, startServer } from "./server-process.ts";
import { tempDir } from "./temp-dir.ts";

async function statusOf(server: ServerProcess, path: string): Promise<number> {
  const answer = await fetch(`${server.url}${path}`, { headers: { authorization: `Bearer ${server.adminToken}` } });
  await answer.arrayBuffer();
  return answer.status;
}

describe("a server in a process of its own", () => {
  it("is ready when it is given, takes its admin token, and ends with status 0", async () => {
    const server = await startServer();
    expect(await statusOf(server, "/health/ready")).toBe(200);
    expect(await statusOf(server, "/api/v1/projects/default")).toBe(200);
    expect(server.output()).toContain(server.url);
    expect(await server.stop()).toEqual({ code: 0 });
    expect(existsSync(server.dataDir)).toBe(false);
  });

  it("keeps a folder it was given through a kill, and starts again at the same address", async () => {
    const dir = await tempDir("server-process");
    onTestFinished(dir.remove);
    const first = await startServer({ dataDir: dir.path });
    const body = JSON.stringify({ key: "kept" });
    const headers = { authorization: `Bearer ${first.adminToken}`, "content-type": "application/json" };
    const made = await fetch(`${first.url}/api/v1/projects/default/flags`, { method: "POST", headers, body });
    expect(made.status).toBe(201);
    expect(await first.kill()).toEqual({ signal: "SIGKILL" });
    const second = await startServer({ dataDir: dir.path, port: first.port });
    expect(second.url).toBe(first.url);
    expect(second.pid).not.toBe(first.pid);
    expect(await statusOf(second, "/api/v1/projects/default/flags/kept")).toBe(200);
    expect(await second.stop()).toEqual({ code: 0 });
  });

  it("has a wall clock that can be moved, where that was asked for", async () => {
    const server = await startServer({ hasMovableClock: true });
    onTestFinished(() => server.stop().then(() => undefined));
    const madeAt = async (key: string): Promise<number> => {
      const headers = { authorization: `Bearer ${server.adminToken}`, "content-type": "application/json" };
      const body = JSON.stringify({ key });
      const answer = await fetch(`${server.url}/api/v1/projects/default/flags`, { method: "POST", headers, body });
      return Date.parse(((await answer.json()) as { createdAt: string }).createdAt);
    };
    expect(Math.abs((await madeAt("now")) - Date.now())).toBeLessThan(60_000);
    await server.moveClock(-86_400_000);
    await expect.poll(async () => Math.round((Date.now() - (await madeAt(`f${Math.random()}`))) / 3_600_000)).toBe(24);
  });

  it("that cannot start is an error with the server's own words", async () => {
    await expect(startServer({ env: { BELAY_LOG: "loud" } })).rejects.toThrow("BELAY_LOG must be one of");
  });
});
