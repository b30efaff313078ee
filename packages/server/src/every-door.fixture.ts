import { Readable } from "node:stream";
import { Registry } from "prom-client";
import { backupDoors } from "./backups/routes.ts";
import type { Emergencies } from "./emergencies/emergencies.ts";
import { emergencyDoors } from "./emergencies/routes.ts";
import { Intake } from "./exposures/intake.ts";
import { eventDoors } from "./exposures/routes.ts";
import { ProblemError } from "./http/problem.ts";
import type { Importer } from "./imports/importer.ts";
import { importDoors } from "./imports/routes.ts";
import type { OidcProvider } from "./oidc/provider.ts";
import { recordDoors } from "./record-doors.ts";
import { releaseServer } from "./releases/desk.fixture.ts";
import type { DeliveryStore } from "./store/deliveries/index.ts";
import type { EventStore } from "./store/events/index.ts";
import { webhookDoors } from "./webhooks/routes.ts";

/** A server with every door there is; behind those of events, webhooks and imports there is nothing. */
export function everyDoor(options: Parameters<typeof releaseServer>[0] = {}): ReturnType<typeof releaseServer> {
  return releaseServer({
    ...options,
    oidc: NO_PROVIDER,
    intake: new Intake({ events: FULL }),
    meters: { registry: new Registry(), isOpenHere: false },
    doors: [
      (access) => eventDoors({ access, events: FULL, hasEnvironment: () => true }),
      recordDoors({ events: FULL, now: Date.now }),
      webhookDoors({
        fillRandom: (bytes) => bytes,
        store: FULL as unknown as DeliveryStore,
        courier: { wake: () => undefined },
        send: async () => ({}),
        now: Date.now,
      }),
      importDoors(NO_IMPORTS),
      emergencyDoors(NO_EMERGENCIES),
      backupDoors({ archive: async () => Readable.from(["nothing"]) }),
    ],
  });
}

const refuse = (): never => {
  throw new ProblemError("spool_full", { limit: 0 });
};

/** Stands where nothing behind the doors may matter: whoever gets in finds the store full. */
const FULL = new Proxy({}, { get: (_, name) => (name === "print" ? refuse : async () => refuse()) }) as EventStore;

/** Nothing was ever imported. */
const NO_IMPORTS = { list: () => [], find: () => undefined } as unknown as Importer;

/** Stands where nobody is ever sent to the provider. */
const NO_PROVIDER: OidcProvider = {
  settings: { issuer: "x", clientId: "x", roleClaim: "x", grants: [], publicUrl: "https://belay.example" },
  redirectUri: "https://belay.example/signin/oidc/callback",
  leave: async () => ({ url: new URL("https://id.example"), leave: { state: "s", nonce: "n", verifier: "v" } }),
  arrive: async () => Promise.reject(new ProblemError("sign_in_refused", { reason: "nobody is known" })),
};

const NO_EMERGENCIES = FULL as unknown as Emergencies;
