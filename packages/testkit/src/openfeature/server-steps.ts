/* What the sentences about a provider that follows a server mean. */
import { deepStrictEqual, ok } from "node:assert";
import { setTimeout as wait } from "node:timers/promises";
import { type SuiteServer, startSuiteServer } from "./suite-server.ts";
import type { Does, World } from "./world.ts";

const PATIENCE_MS = 10_000;

export const SERVER_STEPS: readonly [RegExp, Does][] = [
  [
    /^a provider that follows a server$/,
    async (world) => {
      const server = await startSuiteServer();
      world.server = server;
      world.api.onChanged((keys) => void world.changed.push(keys));
      await world.api.follow(server.url, server.key);
    },
  ],
  [/^the server lets the flag serve "(.*)"$/, (world, [variant = ""]) => serverOf(world).serve(world.key, variant)],
  [
    /^the change of the flag should be told once$/,
    async (world) => {
      const { changed, key } = world;
      for (const end = Date.now() + PATIENCE_MS; changed.length === 0 && Date.now() < end; ) await wait(5);
      deepStrictEqual(changed, [[key]]);
    },
  ],
  [
    /^the event "(.*)" was tracked with value (\S+)$/,
    ({ api }, [name = "", value = ""]) => api.track(name, { value: Number(value), currency: "EUR" }),
  ],
  [/^the provider was closed$/, ({ api }) => api.close()],
  [/^the server should have been sent$/, (world, _, [, ...rows]) => deepStrictEqual(serverOf(world).sent, rows)],
];

function serverOf({ server }: World): SuiteServer {
  ok(server, "no provider follows a server");
  return server;
}
