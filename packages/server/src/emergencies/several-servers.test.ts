import { join } from "node:path";
import { createClient } from "@belay/sdk-node";
import { type ServerProcess, startServer, tempDir } from "@belay/testkit";
import { expect, it, onTestFinished } from "vitest";
import { type Answered, type Asked, askServer } from "../asked-server.fixture.ts";
import { readMirror } from "../store/changes/mirror-file.ts";
import { withPostgres } from "../store/changes/postgres.fixture.ts";

const P = "/api/v1/projects/default";
const FLAG = `${P}/environments/production/flags/checkout`;

withPostgres("an emergency while PostgreSQL is away", (postgres) => {
  it("is served by its server at once and after a restart, and by all of them once PostgreSQL is back", async (context) => {
    const { own } = postgres();
    if (own === undefined) return context.skip("needs a server of its own to kill");
    const env = { BELAY_DATABASE_URL: await postgres().database() };
    const folder = await tempDir("emergency");
    const dataDir = join(folder.path, "data");
    const nodes: ServerProcess[] = await Promise.all([startServer({ env, dataDir }), startServer({ env })]);
    onTestFinished(async () => {
      await Promise.all(nodes.map((node) => node.kill()));
      await folder.remove();
    });
    const ask = (node: number, ...asked: Asked): Promise<Answered> => askServer(nodes[node], ...asked);
    const stateAt = async (node: number) => {
      const [{ body: flag }, { body: environment }] = await Promise.all([
        ask(node, "GET", FLAG),
        ask(node, "GET", `${P}/environments/production`),
      ]);
      return { enabled: flag.targeting?.enabled, revision: environment.revision };
    };
    const { secret } = (await ask(0, "POST", `${P}/keys`, { environment: "production", kind: "server" })).body;
    await ask(0, "POST", `${P}/flags`, { key: "checkout", type: "boolean" });
    await ask(0, "PUT", `${FLAG}/rollout`, { percentage: 100 });
    const before = await stateAt(0);
    await expect.poll(() => stateAt(1), { timeout: 20_000 }).toEqual({ ...before, enabled: true });
    // Both have written down what they start from.
    const mirrored = join(dataDir, "changes.mirror.json");
    await expect
      .poll(async () => (await readMirror(mirrored))?.streams.find((one) => one.environment === "production")?.revision, {
        timeout: 30_000,
      })
      .toBe(before.revision);
    const [near, far] = nodes.map(({ url }) => createClient({ url, sdkKey: secret }));
    if (near === undefined || far === undefined) throw new Error("two were made");
    onTestFinished(() => Promise.all([near.close(), far.close()]).then(() => undefined));
    await Promise.all([near.ready(), far.ready()]);
    const isOn = (client: typeof near): boolean => client.isEnabled("checkout", { targetingKey: "u" }, false);
    expect([isOn(near), isOn(far)]).toEqual([true, true]);

    await own.kill();
    expect((await ask(0, "POST", `${FLAG}/emergency`, { reason: "it burns" })).status).toBe(202);
    await expect.poll(() => isOn(near), { timeout: 20_000 }).toBe(false);
    expect(await stateAt(0)).toEqual({ enabled: false, revision: before.revision + 1 });
    expect([await stateAt(1), isOn(far)]).toEqual([{ enabled: true, revision: before.revision }, true]);

    await nodes[0]?.kill();
    nodes[0] = await startServer({ env, dataDir, port: nodes[0]?.port ?? 0 });
    expect(await stateAt(0)).toEqual({ enabled: false, revision: before.revision + 1 });

    await own.start();
    const settled = { enabled: false, revision: before.revision + 1 };
    await expect.poll(() => Promise.all([stateAt(0), stateAt(1)]), { timeout: 60_000 }).toEqual([settled, settled]);
    await expect.poll(() => isOn(far), { timeout: 20_000 }).toBe(false);
    const { items } = (await ask(1, "GET", `${P}/changes?key=checkout&action=flag.emergency`)).body;
    expect(items).toMatchObject([{ revision: before.revision + 1, actor: { id: "first" } }]);
    expect(items[0].reason).toMatch(/^it burns \(emergency override made at .* while the log was away\)$/);
    // Ordinary again.
    await expect
      .poll(async () => (await ask(1, "PUT", `${FLAG}/enabled`, { enabled: true })).status, { timeout: 20_000 })
      .toBe(200);
    await expect.poll(() => [isOn(near), isOn(far)], { timeout: 60_000 }).toEqual([true, true]);
  }, 240_000);
});
