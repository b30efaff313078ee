import { hasRedis, mayMissEngines, REDIS_HINT, type RedisServer, startRedis } from "@belay/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

/** Tests on a Redis of their own. Where there is none, one test says how to get it. */
export function withRedis(name: string, tests: (server: () => RedisServer) => void): void {
  if (!hasRedis()) {
    const what = `${name} (no Redis: ${REDIS_HINT})`;
    // A skip is what the summary names and counts.
    if (mayMissEngines()) test.skip(what, () => undefined);
    else test(what, () => expect.unreachable("BELAY_REQUIRE_ENGINES or CI says that it must be there"));
    return;
  }
  describe(name, () => {
    let server: RedisServer;
    beforeAll(async () => {
      server = await startRedis();
    });
    afterAll(() => server?.stop());
    tests(() => server);
  });
}
