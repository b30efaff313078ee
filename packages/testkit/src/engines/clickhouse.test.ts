import { expect, onTestFinished, test, vi } from "vitest";
import { CLICKHOUSE_HINT, hasClickHouse, startClickHouse } from "./clickhouse.ts";
import { launch, mayMissEngines, programPath } from "./engine-process.ts";

test("a server of one's own keeps its rows over kill and start, hangs and goes on when told", async (context) => {
  if (!hasClickHouse() && mayMissEngines()) return context.skip(CLICKHOUSE_HINT);
  const server = await startClickHouse({ timezone: "Asia/Kolkata" });
  onTestFinished(() => server.stop());
  expect(await server.query("select timezone()")).toBe("Asia/Kolkata");
  await server.query("create table kept (n UInt8) engine = Log");
  await server.query("insert into kept values (7)");
  await server.kill();
  await expect(server.query("select 1")).rejects.toThrow();
  await server.start();
  expect(await server.query("select n from kept")).toBe("7");
  server.signal("SIGSTOP");
  const answer = server.query("select 1");
  const waited = await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 200, "nothing"))]);
  expect(waited).toBe("nothing");
  server.signal("SIGCONT");
  expect(await answer).toBe("1");
  await expect(server.query("select nonsense")).rejects.toThrow(/nonsense/);
});

test("a program that ends at once is reported with what it wrote", async () => {
  const failing = { command: process.execPath, args: ["-e", "console.error('no luck')"], isReady: async () => false };
  await expect(launch(failing)).rejects.toThrow(/did not become ready: no luck/);
  const missing = { command: "belay-no-such-program", args: [], isReady: async () => false };
  await expect(launch(missing)).rejects.toThrow(/ENOENT/);
  expect(programPath("belay-no-such-program")).toBeUndefined();
});

test.each([
  [undefined, undefined, true],
  ["true", undefined, false],
  ["true", "0", true],
  ["true", "1", false],
  [undefined, "1", false],
  ["", "", true],
])("with CI=%s and BELAY_REQUIRE_ENGINES=%s an engine may be missing: %s", (ci, required, may) => {
  vi.stubEnv("CI", ci);
  vi.stubEnv("BELAY_REQUIRE_ENGINES", required);
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(mayMissEngines()).toBe(may);
});
