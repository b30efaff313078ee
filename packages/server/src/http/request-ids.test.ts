import { expect, it, onTestFinished } from "vitest";
import { E, P, testServer } from "../app.fixture.ts";
import { requestIds } from "./request-ids.ts";

interface Line {
  readonly level: number;
  readonly time: number;
  readonly reqId?: string;
}

it("a request has one id: in each line of the log, which is JSON, in the problem it is answered with and in the audit", async () => {
  const lines: Line[] = [];
  const write = (line: string): void => void lines.push(JSON.parse(line) as Line);
  const server = await testServer({ logger: { level: "info", stream: { write } } });
  onTestFinished(() => server.close());
  await server.ask("POST", `${P}/flags`, { key: "a" });
  const before = lines.length;
  await server.ask("PUT", `${E}/flags/a/rollout`, { percentage: 25 });
  const refused = await server.ask("PUT", `${E}/flags/a/rollout`, { percentage: 101 });
  const said = lines.slice(before);
  const [change] = (await server.ask("GET", `${P}/changes?action=rollout.set&limit=1`)).body.items;
  expect(refused.status).toBe(422);
  expect(change.requestId).toMatch(/^[\w-]{12}$/);
  expect(said.length).toBeGreaterThanOrEqual(4);
  expect(new Set(said.map(({ reqId }) => reqId))).toEqual(new Set([change.requestId, refused.body.requestId]));
  expect(said.every(({ level, time }) => Number.isInteger(level) && Number.isInteger(time))).toBe(true);
});

it("100,000 of them are 100,000", () => {
  const next = requestIds((bytes) => crypto.getRandomValues(bytes));
  const ids = new Set(Array.from({ length: 100_000 }, next));
  expect(ids.size).toBe(100_000);
  expect([...ids].every((id) => /^[\w-]{12}$/.test(id))).toBe(true);
});
