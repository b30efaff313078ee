import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TempDir, tempDir } from "@belay/testkit";
import { afterEach, beforeEach, expect, it } from "vitest";
import { E, P, type TestServer, testServer } from "../app.fixture.ts";
import { LastKnownGoodKeeper, readLastKnownGood, saveLastKnownGood } from "./last-known-good.ts";

let dir: TempDir;
let server: TestServer;
beforeEach(async () => {
  dir = await tempDir("good");
  server = await testServer();
});
afterEach(async () => {
  await server.close();
  await dir.remove();
});

it("has what serving each environment takes, as it is at the end", async () => {
  const faults: unknown[] = [];
  const keeper = new LastKnownGoodKeeper(server.control, {
    directory: dir.path,
    delayMs: 5,
    onFault: (error) => faults.push(error),
  });
  await server.ask("POST", `${P}/flags`, { key: "a", clientSide: true });
  for (let percentage = 1; percentage <= 20; percentage += 1) await server.ask("PUT", `${E}/flags/a/rollout`, { percentage });
  const made = (await server.ask("POST", `${P}/keys`, { environment: "production", kind: "client" })).body;
  const revoked = (await server.ask("POST", `${P}/keys`, { environment: "production", kind: "client" })).body;
  await server.ask("DELETE", `${P}/keys/${revoked.id}`);
  await keeper.close();
  expect(faults).toEqual([]);
  const kept = await readLastKnownGood(dir.path);
  expect(kept.map(({ snapshot }) => snapshot.environment).sort()).toEqual(["development", "production", "staging"]);
  const production = kept.find(({ snapshot }) => snapshot.environment === "production");
  expect(production?.snapshot).toEqual(
    (await server.ask("GET", "/sdk/v1/snapshot", undefined, { as: server.sdkKeys["production"] as string })).body,
  );
  expect(production?.clientFlags).toEqual(["a"]);
  expect(production?.sdkKeys).toHaveLength(2);
  expect(production?.sdkKeys.map(({ id }) => id)).toContain(made.id);
  expect((await readdir(dir.path)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  expect(JSON.stringify(kept)).not.toContain(made.secret);
});

it("passes over files that are cut or of another format, at any byte", async () => {
  const snapshot = { format: 1, project: "p", environment: "..", revision: 1, spaces: {}, segments: {}, flags: {} } as const;
  await saveLastKnownGood(dir.path, { format: 1, snapshot, clientFlags: [], sdkKeys: [] });
  const [name = ""] = await readdir(dir.path);
  const whole = await readFile(join(dir.path, name));
  for (let length = 0; length < whole.length; length += 1) {
    await writeFile(join(dir.path, name), whole.subarray(0, length));
    expect(await readLastKnownGood(dir.path)).toEqual([]);
  }
  await writeFile(join(dir.path, name), whole);
  await writeFile(join(dir.path, "newer.json"), JSON.stringify({ format: 2 }));
  expect((await readLastKnownGood(dir.path)).map((content) => content.snapshot)).toEqual([snapshot]);
  expect(await readLastKnownGood(join(dir.path, "nowhere"))).toEqual([]);
});
