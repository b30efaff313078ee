import { type AddressInfo, createServer, type Socket } from "node:net";
import { startFaultProxy } from "@belay/testkit";
import { expect, it, onTestFinished } from "vitest";
import { withPostgres } from "../changes/postgres.fixture.ts";
import { PostgresSession } from "./session.ts";

const TRAITS = { name: "The test", connectionsMax: 2 };

function sessionAt(url: string, timeoutMs: number): PostgresSession {
  const session = new PostgresSession({ url, timeoutMs }, TRAITS);
  onTestFinished(() => session.end());
  return session;
}

/** Takes what a connection begins with, lets everybody in, and answers nothing more. */
async function startSilent(): Promise<{ readonly url: string; readonly begun: Buffer[] }> {
  const begun: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => undefined));
    socket.once("data", (bytes) => {
      begun.push(bytes);
      // AuthenticationOk, ReadyForQuery.
      socket.write(Buffer.from("520000000800000000" + "5a0000000549", "hex"));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { url: `postgres://ada@127.0.0.1:${(server.address() as AddressInfo).port}/shop`, begun };
}

/** Names and values of a startup message. */
function startupOf(message: Buffer): Record<string, string> {
  const texts = message.subarray(8).toString().split("\0");
  const pairs = texts.flatMap((name, at) => (at % 2 === 0 && name !== "" ? [[name, texts[at + 1] ?? ""]] : []));
  return Object.fromEntries(pairs);
}

it("a connection begins with nothing but what every pooler takes, and the statement after it is given up in time", async () => {
  const { url, begun } = await startSilent();
  await expect(sessionAt(url, 300).all("select 1")).rejects.toMatchObject({ code: "store_unavailable" });
  expect(begun.map(startupOf)).toEqual([{ user: "ada", database: "shop", client_encoding: "UTF8" }]);
});

withPostgres("sessions", (server) => {
  it("of the pool and of their own are set to end when their server is gone", async () => {
    const session = sessionAt(await server().database(), 20_000);
    const asked = "select name, setting from pg_settings where name ~ '^tcp_|^idle_' order by name";
    const expected = [
      ["idle_in_transaction_session_timeout", "40000"],
      ["idle_session_timeout", "60000"],
      ["tcp_keepalives_count", "3"],
      ["tcp_keepalives_idle", "5"],
      ["tcp_keepalives_interval", "5"],
      ["tcp_user_timeout", "20000"],
    ];
    const pooled = await Promise.all([session.all(asked), session.all(asked)]);
    for (const rows of pooled) expect(rows.map(({ name, setting }) => [name, setting])).toEqual(expected);
    const client = session.client();
    onTestFinished(() => client.end());
    await session.open(client);
    const { rows } = await client.query(asked);
    expect(rows.map(({ name, setting }) => [name, setting])).toEqual(expected);
  });

  it("that fall silent at any moment of their beginning are given up, and further ones work", async () => {
    const address = new URL(await server().database());
    const way = await startFaultProxy(Number(address.port));
    onTestFinished(() => way.close());
    address.port = String(way.port);
    const session = sessionAt(address.href, 1_000);
    const outcome = (): Promise<string> =>
      session.all("select 1 as one").then(
        ([row]) => String(row?.["one"]),
        (error) => error.code,
      );
    await expect.poll(outcome).toBe("1");
    // Nothing is answered at all, or nothing after what PostgreSQL says when it lets somebody in.
    for (const fault of [{ isHalfOpen: true }, { silentAfterBytes: 1 }]) {
      await session.transaction(async () => {
        const { accepted } = way;
        Object.assign(way.faults, fault);
        // The pool's one connection is taken: this needs another.
        expect([await outcome(), way.accepted]).toEqual(["store_unavailable", accepted + 1]);
        Object.assign(way.faults, { isHalfOpen: false, silentAfterBytes: undefined });
      });
      await expect.poll(outcome).toBe("1");
    }
  });
});
