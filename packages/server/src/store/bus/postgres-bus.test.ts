import type { Json } from "@belay/protocol";
import { createClient } from "@belay/sdk-node";
import { startServer } from "@belay/testkit";
import pg from "pg";
import { expect, it, onTestFinished } from "vitest";
import { askServer } from "../../asked-server.fixture.ts";
import { withPostgres } from "../changes/postgres.fixture.ts";
import { busContract } from "./bus.contract.ts";
import type { Bus } from "./bus.ts";
import { postgresBus } from "./postgres-bus.ts";

const P = "/api/v1/projects/default";

withPostgres("bus over PostgreSQL", (server) => {
  let shared: Promise<string> | undefined;
  const faults: unknown[] = [];
  const joined = async (url: string): Promise<Bus> => {
    const bus = postgresBus({ url, onFault: (error) => faults.push(error) });
    await new Promise<void>((resolve) => bus.onGap(resolve));
    return bus;
  };
  const pair = async (): Promise<{ url: string; one: Bus; other: Bus; heard: Json[] }> => {
    const url = await server().database();
    const [one, other] = [await joined(url), await joined(url)];
    onTestFinished(() => Promise.all([one.close(), other.close()]).then(() => undefined));
    const heard: Json[] = [];
    other.subscribe("position", (message) => heard.push(message));
    return { url, one, other, heard };
  };

  busContract("over PostgreSQL", async () => {
    shared ??= server().database();
    return joined(await shared);
  });

  it("carries what is longer than a notification, to the letter", async () => {
    const { one, heard } = await pair();
    const long = { text: "ü€𝒳 ".repeat(20_000), list: Array.from({ length: 3_000 }, (_, at) => at) };
    for (const message of [1, long, 2]) one.publish("position", message);
    await expect.poll(() => heard.length, { timeout: 20_000 }).toBe(3);
    expect(heard).toEqual([1, long, 2]);
  });

  it("passes over what is no message of its own, also a piece without its beginning", async () => {
    const { url, one, heard } = await pair();
    const stranger = new pg.Client({ connectionString: url });
    await stranger.connect();
    onTestFinished(() => stranger.end());
    for (const text of ["", "nonsense", "x 2 2 e30=", "x 1 2 e30=", "x 1 1 bm9uc2Vuc2U="]) {
      await stranger.query("select pg_notify('belay_bus', $1)", [text]);
    }
    one.publish("position", 3);
    await expect.poll(() => heard, { timeout: 20_000 }).toEqual([3]);
  });

  it("goes on by itself after its connections were cut, and says that something may have been missed", async () => {
    const { url, one, other, heard } = await pair();
    let gaps = 0;
    other.onGap(() => {
      gaps += 1;
    });
    const admin = new pg.Client({ connectionString: url });
    await admin.connect();
    onTestFinished(() => admin.end());
    await admin.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    );
    await expect.poll(() => gaps, { timeout: 20_000 }).toBeGreaterThanOrEqual(1);
    await expect
      .poll(
        () => {
          one.publish("position", 5);
          return heard.includes(5);
        },
        { timeout: 20_000 },
      )
      .toBe(true);
  });

  it("makes a receipt that one server is given known to the other, without a Redis", async () => {
    const env = { BELAY_DATABASE_URL: await server().database() };
    const nodes = await Promise.all([startServer({ env }), startServer({ env })]);
    onTestFinished(() => Promise.all(nodes.map((node) => node.stop())).then(() => undefined));
    const { body } = await askServer(nodes[0], "POST", `${P}/keys`, { environment: "production", kind: "server" });
    const client = createClient({ url: nodes[1]?.url ?? "", sdkKey: body.secret });
    onTestFinished(() => client.close().then(() => undefined));
    await client.ready();
    const heardOf = async (): Promise<number> => (await askServer(nodes[0], "GET", `${P}/instances`)).body.items.length;
    await expect.poll(heardOf, { timeout: 30_000 }).toBe(1);
  }, 90_000);
});
