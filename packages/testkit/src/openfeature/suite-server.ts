import { startSdkDoor } from "../sdk-door.ts";
import { PRICING, SUITE_FLAGS } from "./suite-flags.ts";

/** A server with the suites' flags and an experiment, as a provider's client meets it. */
export interface SuiteServer {
  readonly url: string;
  readonly key: string;
  /** Lets a flag serve another of its variants from now on, and tells it. */
  serve(flag: string, variant: string): void;
  /** Whom what arrived is about, and what it is. */
  readonly sent: readonly (readonly string[])[];
  stop(): Promise<void>;
}

const KEY = "suite-key";

export async function startSuiteServer(): Promise<SuiteServer> {
  const document = { format: 1, project: "default", environment: "production", spaces: {}, segments: {} };
  let flags: Readonly<Record<string, object>> = { ...SUITE_FLAGS, pricing: PRICING };
  let revision = 7;
  const door = await startSdkDoor({ sdkKey: KEY, snapshot: { ...document, revision, flags } as { revision: number } });
  return {
    url: door.url,
    key: KEY,
    serve: (key, variant) => {
      const flag = { ...flags[key], fallthrough: { variant } };
      const from = revision++;
      flags = { ...flags, [key]: flag };
      door.publish({ ...document, revision, flags } as { revision: number }, {
        ...document,
        from,
        revision,
        flags: { [key]: flag },
      });
    },
    get sent() {
      return door.events.map((event) => [String(event["unit"]), String(event["name"] ?? event["flag"]), String(event["value"])]);
    },
    stop: () => door.stop(),
  };
}
