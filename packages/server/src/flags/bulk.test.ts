import { afterAll, beforeAll, expect, it } from "vitest";
import { E, P, type TestServer, testServer } from "../app.fixture.ts";

let server: TestServer;
let ask: TestServer["ask"];
beforeAll(async () => {
  server = await testServer();
  ({ ask } = server);
});
afterAll(() => server.close());

const outcomes = (body: { results: { outcome: string }[] }): { readonly [outcome: string]: number } => {
  const counts: { [outcome: string]: number } = {};
  for (const { outcome } of body.results) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
};
const live = (environment = "production"): Set<string> =>
  new Set(server.control.workspace.projects.get("default")?.environments.get(environment)?.snapshot.flags.keys());
const disabled = (): string[] =>
  [...(server.control.workspace.projects.get("default")?.environments.get("production")?.targetings ?? [])]
    .filter(([, { body }]) => !body.enabled)
    .map(([key]) => key);

it("fault 60: over 500 flags, some of them so already, changes those meant and lists each", async () => {
  const keys = Array.from({ length: 500 }, (_, i) => `f${String(i).padStart(3, "0")}`);
  await Promise.all([...keys, "bystander"].map((key) => ask("POST", `${P}/flags`, { key })));
  const off = keys.slice(0, 40);
  for (const key of off) await ask("PUT", `${E}/flags/${key}/enabled`, { enabled: false });
  const { revision } = (await ask("GET", E)).body;
  const disable = await ask("POST", `${E}/flags/bulk`, { action: "disable", flags: [...keys, "nobody"], reason: "incident" });
  expect(disable.status).toBe(200);
  expect(outcomes(disable.body)).toEqual({ changed: 460, unchanged: 40, refused: 1 });
  expect(disable.body.results.at(-1)).toEqual({ flag: "nobody", outcome: "refused", code: "flag_not_found" });
  expect(disable.body.results.map(({ flag }: { flag: string }) => flag)).toEqual([...keys, "nobody"]);
  expect(disabled().sort()).toEqual(keys);
  expect((await ask("GET", E)).body.revision).toBe(revision + 1);
  const again = await ask("POST", `${E}/flags/bulk`, { action: "disable", flags: keys });
  expect([outcomes(again.body), again.body.revision]).toEqual([{ unchanged: 500 }, revision + 1]);

  const archive = await ask("POST", `${P}/flags/bulk`, { action: "archive", flags: keys });
  expect(outcomes(archive.body)).toEqual({ changed: 500 });
  expect([...live()]).toEqual(["bystander"]);
  expect([...live("staging")]).toEqual(["bystander"]);
  const back = await ask("POST", `${P}/flags/bulk`, { action: "restore", flags: [...keys.slice(0, 100), "bystander"] });
  expect(outcomes(back.body)).toEqual({ changed: 100, unchanged: 1 });
  expect(live().size).toBe(101);
  const [change] = (await ask("GET", `${P}/changes?action=flags.disable`)).body.items;
  expect([change.reason, Object.keys(change.after).length, change.after["f499"]]).toEqual(["incident", 460, false]);
});

it("lets flags that only name each other go together, and keeps what others use", async () => {
  for (const key of ["base", "middle", "top", "outside"]) await ask("POST", `${P}/flags`, { key });
  const needs = (key: string, flag: string) =>
    ask("PUT", `${E}/flags/${key}`, { enabled: true, rules: [], prerequisites: [{ flag, variants: ["on"] }] });
  await needs("middle", "base");
  await needs("top", "middle");
  await needs("outside", "middle");
  const flags = ["base", "middle", "top"];
  const { body } = await ask("POST", `${P}/flags/bulk`, { action: "archive", flags });
  expect(body.results).toEqual([
    { flag: "base", outcome: "refused", code: "in_use", users: "flag middle in production" },
    { flag: "middle", outcome: "refused", code: "in_use", users: "flag outside in production" },
    { flag: "top", outcome: "changed" },
  ]);
  await ask("PUT", `${E}/flags/outside`, { enabled: true, rules: [] });
  const { body: then } = await ask("POST", `${P}/flags/bulk`, { action: "archive", flags });
  expect(outcomes(then)).toEqual({ changed: 2, unchanged: 1 });
  expect((await ask("POST", `${P}/flags/bulk`, { action: "explode", flags })).body).toMatchObject({
    status: 422,
    field: "action",
  });
  expect((await ask("POST", `${E}/flags/bulk`, { action: "disable", flags: [] })).body).toMatchObject({
    status: 422,
    field: "flags",
  });
});
