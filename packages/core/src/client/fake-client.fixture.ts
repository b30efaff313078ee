import { Application } from "./application.ts";
import { Client, type ClientSettings } from "./client.ts";
import { DELIVERY_SETTINGS } from "./delivery.ts";
import type { FakeServer } from "./fake-world.fixture.ts";
import { LEDGER_LIMITS } from "./ledger.ts";
import { SYNC_TIMINGS } from "./sync.ts";

/** A real client in a fake world, started, with everything it logged. */
export function fakeClient(
  server: FakeServer,
  settings: Partial<ClientSettings> = {},
  random?: () => number,
): { client: Client; said: string[] } {
  const said: string[] = [];
  const application = new Application({ warn: (message) => said.push(message), error: (message) => said.push(message) });
  const client = new Client(
    {
      sdk: "test/1",
      instance: "3f0c1c54-0000-4000-8000-000000000001",
      held: undefined,
      isOffline: false,
      contextAttributes: [],
      compile: {},
      sync: SYNC_TIMINGS,
      delivery: DELIVERY_SETTINGS,
      ledger: LEDGER_LIMITS,
      onExposure: undefined,
      keeper: undefined,
      ...settings,
    },
    server.platform(random),
    application,
  );
  client.start();
  return { client, said };
}
