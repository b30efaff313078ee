import { afterEach, beforeEach, expect, it } from "vitest";
import { P, type TestServer, testServer } from "../app.fixture.ts";
import type { ProjectState } from "../state/workspace.ts";
import { placesOf } from "./domain.ts";

let server: TestServer;
let ask: TestServer["ask"];
beforeEach(async () => {
  server = await testServer();
  ({ ask } = server);
});
afterEach(() => server.close());

const SHOP = `${P}/code-places/shop`;
const place = (flag: string, file: string, line: number) => ({ flag, file, line });

it("keeps what the last scan of each repository found, in order, and changes nothing where that is the same", async () => {
  const [cart, card] = [place("cart", "src/b.ts", 7), place("card", "src/a.ts", 12)];
  const first = await ask("PUT", SHOP, { version: "c1", places: [cart, card, place("cart", "src/a.ts", 3)] });
  const at = "2026-11-22T12:00:00.000Z";
  expect(first.body).toMatchObject({ repository: "shop", at, version: "c1", places: [place("cart", "src/a.ts", 3), card, cart] });
  server.clock.now += 60_000;
  const again = await ask("PUT", SHOP, { version: "c1", places: [place("cart", "src/a.ts", 3), cart, card] });
  expect([again.status, again.body]).toEqual([200, first.body]);
  const next = await ask("PUT", SHOP, { version: "c2", places: [cart] });
  expect([next.body.at, next.body.places, next.body.revision]).toEqual([
    "2026-11-22T12:01:00.000Z",
    [cart],
    first.body.revision + 1,
  ]);
  await ask("PUT", `${P}/code-places/app`, { places: [place("cart", "main.kt", 1)] });
  const state = server.control.workspace.projects.get("default") as ProjectState;
  expect(placesOf(state, "cart")).toEqual([
    { repository: "app", file: "main.kt", line: 1 },
    { repository: "shop", file: "src/b.ts", line: 7 },
  ]);
  expect(placesOf(state, "card")).toEqual([]);
  expect((await ask("GET", `${P}/code-places`)).body.items.map(({ repository }: { repository: string }) => repository)).toEqual([
    "app",
    "shop",
  ]);
  expect((await ask("DELETE", SHOP)).status).toBe(204);
  expect((await ask("DELETE", SHOP)).body).toMatchObject({ status: 422, field: "repository" });
  const { items } = (await ask("GET", `${P}/changes?kind=code-places`)).body;
  expect(items.map(({ action }: { action: string }) => action)).toEqual([
    "code-places.delete",
    "code-places.put",
    "code-places.put",
    "code-places.put",
  ]);
});

it.each([
  ["a name that is none", "a%20b", [], "repository"],
  ["a line before the first", "shop", [place("cart", "a.ts", 0)], "places[0].line"],
  ["a key that is none", "shop", [place("a b", "a.ts", 1)], "places[0].flag"],
  ["2,001 places", "shop", Array.from({ length: 2_001 }, (_, line) => place("cart", "a.ts", line + 1)), "places"],
])("refuses %s", async (_, repository, places, field) => {
  expect((await ask("PUT", `${P}/code-places/${repository}`, { places })).body).toMatchObject({ status: 422, field });
});

it("takes so many repositories and no more", async () => {
  const put = async (at: number): Promise<number> => (await ask("PUT", `${P}/code-places/r${at}`, { places: [] })).status;
  for (let at = 0; at < 100; at += 1) expect(await put(at)).toBe(200);
  expect([await put(100), await put(0)]).toEqual([422, 200]);
});
