import { join } from "node:path";
import type { Change, Release } from "@belay/protocol";
import { type ServerProcess, startServer, tempDir } from "@belay/testkit";
import { expect, it, onTestFinished } from "vitest";
import { type Answered, type Asked, askServer } from "../asked-server.fixture.ts";
import { readMirror } from "../store/changes/mirror-file.ts";
import { withPostgres } from "../store/changes/postgres.fixture.ts";
import { ERRORS } from "./release.fixture.ts";

const P = "/api/v1/projects/default";
const E = `${P}/environments/production`;
const SAID = /asked for at \d{4}-\d\d-\d\dT[\d:.]+Z while the log was away/;

withPostgres("rollbacks that a person and an alert ask for while PostgreSQL is away", (postgres) => {
  it("are made once by the server that was killed meanwhile, audited", async (context) => {
    const { own } = postgres();
    if (own === undefined) return context.skip("needs a server of its own to kill");
    const env = { BELAY_DATABASE_URL: await postgres().database() };
    const folder = await tempDir("promised-kill");
    const dataDir = join(folder.path, "data");
    let server: ServerProcess = await startServer({ env, dataDir });
    onTestFinished(async () => {
      await server.kill();
      await folder.remove();
    });
    const send = (...asked: Asked): Promise<Answered> => askServer(server, ...asked);
    const ask = async <T>(...asked: Asked): Promise<T> => (await send(...asked)).body as T;
    const standing = async (key: string): Promise<unknown[]> => {
      const { state, reasons } = await ask<Release>("GET", `${E}/releases/${key}`);
      const { percentage } = await ask<{ percentage: number }>("GET", `${E}/flags/${key}/rollout`);
      return [state, percentage, ...reasons.map(({ code }) => code)];
    };
    const both = (): Promise<unknown[][]> => Promise.all(["checkout", "search"].map(standing));
    const restart = async (): Promise<void> => {
      expect(await server.kill()).toEqual({ signal: "SIGKILL" });
      server = await startServer({ env, dataDir, port: server.port });
    };
    for (const key of ["checkout", "search"]) {
      await send("POST", `${P}/flags`, { key });
      const stages = [10, 100].map((percentage) => ({ name: "s", percentage, hold: { minDurationS: 3_600 }, gates: [] }));
      const draft = { key, flag: key, stages, guardrails: [ERRORS], alertRoutes: ["slack:#r"] };
      await send("POST", `${E}/releases`, draft);
      for (const verb of ["ready", "start"]) await send("POST", `${E}/releases/${key}/${verb}`, {});
    }
    type Trigger = { readonly id: string; readonly secret: string };
    const trigger = await ask<Trigger>("POST", `${E}/releases/search/triggers`, { guardrail: "errors" });
    expect(await both()).toEqual([
      ["ramping", 10],
      ["ramping", 10],
    ]);
    const { revision } = await ask<{ revision: number }>("GET", E);
    const mirrored = async (): Promise<number | undefined> =>
      (await readMirror(join(dataDir, "changes.mirror.json")))?.streams.find(({ environment }) => environment === "production")
        ?.revision;
    await expect.poll(mirrored, { timeout: 60_000 }).toBe(revision);

    await own.kill();
    expect((await send("POST", `${E}/releases/checkout/rollback`, { reason: "3 a.m." })).status).toBe(202);
    expect((await send("POST", `/triggers/v1/${trigger.id}`, {}, trigger.secret)).status).toBe(202);
    await restart();
    expect(await both()).toEqual([
      ["ramping", 0],
      ["ramping", 0],
    ]);

    await own.start();
    const rolledBack = [
      ["rolled-back", 0, "rolled-back-by-person"],
      ["rolled-back", 0, "external-trigger"],
    ];
    await expect.poll(both, { timeout: 60_000 }).toEqual(rolledBack);
    const made = async (): Promise<Change[]> =>
      (await ask<{ items: Change[] }>("GET", `${P}/changes?action=release.rollback`)).items.sort((a, b) =>
        a.target.key < b.target.key ? -1 : 1,
      );
    expect(await made()).toMatchObject([
      {
        target: { key: "checkout" },
        actor: { id: "first" },
        reason: expect.stringMatching(/^3 a\.m\. \(asked for at .* away\)$/),
      },
      { target: { key: "search" }, actor: { name: "the alert on errors" }, reason: expect.stringMatching(SAID) },
    ]);

    // Nothing is left of them: another life makes none.
    await restart();
    await expect.poll(both, { timeout: 30_000 }).toEqual(rolledBack);
    expect(await made()).toHaveLength(2);
  }, 240_000);
});
