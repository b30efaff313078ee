import { startServer } from "@belay/testkit";
import { expect, it, onTestFinished } from "vitest";
import { askServer } from "../asked-server.fixture.ts";
import { withPostgres } from "../store/changes/postgres.fixture.ts";
import { postgresDeliveryStore } from "../store/deliveries/index.ts";
import { receiver } from "./receiver.fixture.ts";

const P = "/api/v1/projects/default";

withPostgres("webhooks of servers on one PostgreSQL", (postgres) => {
  it("go on at another server where the one that carried them was killed: all that waited and all that follows", async () => {
    const env = { BELAY_DATABASE_URL: await postgres().database(), BELAY_WEBHOOK_ALLOW: "127.0.0.1" };
    const carrier = await startServer({ env });
    onTestFinished(() => carrier.kill().then(() => undefined));
    const post = async (url: string, path: string, body: unknown): Promise<number> =>
      (await askServer({ url }, "POST", `${P}${path}`, body)).status;
    const { url, heard, answers } = await receiver();
    expect(await post(carrier.url, "/webhooks", { key: "ops", url, types: ["flag.*"] })).toBe(201);
    // A first start begins at the end of the log: what is told comes after that.
    const outbox = postgresDeliveryStore({ url: env.BELAY_DATABASE_URL });
    onTestFinished(() => outbox.close());
    await expect.poll(() => outbox.position(), { timeout: 20_000 }).toBeGreaterThan(0);
    // The first tries fail: the messages wait in the outbox when their carrier dies.
    answers.push(503, 503, 503);
    for (const key of ["a", "b", "c"]) expect(await post(carrier.url, "/flags", { key, type: "boolean" })).toBe(201);
    await expect.poll(() => heard.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(3);
    await carrier.kill();
    const next = await startServer({ env });
    onTestFinished(() => next.stop().then(() => undefined));
    for (const key of ["d", "e"]) expect(await post(next.url, "/flags", { key, type: "boolean" })).toBe(201);
    const told = (): string[] =>
      [...new Set(heard.slice(3).map(({ body }) => JSON.parse(body).data.target.key as string))].sort();
    // Once the lease of the one that died has run out, and its tries are due again.
    await expect.poll(told, { timeout: 60_000 }).toEqual(["a", "b", "c", "d", "e"]);
    const ids = heard.map(({ headers }) => headers["webhook-id"]);
    expect(new Set(ids).size).toBe(5);
  }, 180_000);
});
