import { ADMIN_TOKEN, startServer } from "@belay/testkit";
import { expect, it, onTestFinished } from "vitest";
import { withPostgres } from "../store/changes/postgres.fixture.ts";
import type { ImportView } from "./views.ts";

const IMPORTS = "/api/v1/projects/default/imports";
const QUERY = "environment=production&kind=exposures&set.experiment=e&set.time=2019-03-01";

interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it just asserts on
  readonly body: any;
}

withPostgres("imports of servers on one PostgreSQL", (postgres) => {
  it("are known at every server, read by the one that has the file, and taken by no other", async () => {
    const env = { BELAY_DATABASE_URL: await postgres().database() };
    const [one, two] = [await startServer({ env }), await startServer({ env })];
    for (const server of [one, two]) onTestFinished(() => server.stop().then(() => undefined));
    const ask = async (url: string, path: string, init: RequestInit = {}): Promise<Answer> => {
      const type = init.body === undefined ? {} : { "content-type": "text/csv" };
      const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, ...type };
      const answer = await fetch(`${url}${IMPORTS}${path}`, { ...init, headers });
      return { status: answer.status, body: await answer.json() };
    };
    const send = (url: string, file: string) => ask(url, `?${QUERY}`, { method: "POST", body: file });
    const rows = 30_000;
    const file = `unit,variant\n${Array.from({ length: rows }, (_, row) => `u${row},${row % 100 === 0 ? "" : "a"}\n`).join("")}`;

    // Sent to both at once: one of them has it.
    const sent = await Promise.all([one, two].map(({ url }) => send(url, file)));
    const [holder, other] = sent[0]?.status === 201 ? [one, two] : [two, one];
    expect(sent.map(({ status }) => status).sort()).toEqual([201, 409]);
    const refused = sent.find(({ status }) => status === 409)?.body;
    const id = String(sent.find(({ status }) => status === 201)?.body.id);
    expect(refused).toMatchObject({ code: "import_elsewhere", detail: expect.stringContaining(id) });

    const view = async (url: string): Promise<ImportView> => (await ask(url, `/${id}`)).body;
    expect((await view(other.url)).server).toBeDefined();
    expect((await ask(other.url, "")).body.items.map((item: ImportView) => item.id)).toEqual([id]);
    expect((await ask(other.url, `/${id}/cancel`, { method: "POST" })).body.code).toBe("import_elsewhere");

    await expect.poll(async () => (await view(other.url)).state, { timeout: 90_000 }).toBe("finished");
    const told = { state: "finished", rows, rowsTotal: rows, accepted: rows - rows / 100, rejected: rows / 100 };
    expect(await view(other.url)).toMatchObject(told);
    const { server: _, ...elsewhere } = await view(other.url);
    expect(elsewhere).toEqual(await view(holder.url));
    expect((await ask(other.url, `/${id}/rejected`)).body.code).toBe("import_elsewhere");

    // The same file counts once, whichever server it is sent to.
    const again = await send(other.url, file);
    expect([again.status, again.body.state, again.body.accepted]).toEqual([200, "finished", told.accepted]);
    expect((await send(other.url, "unit,variant\nu1,b\n")).status).toBe(201);
    await expect.poll(async () => (await ask(holder.url, "")).body.items.length, { timeout: 20_000 }).toBe(2);
  }, 240_000);
});
