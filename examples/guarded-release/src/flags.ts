import type { Admin } from "@belay/testkit";

/** `checkout` is the release with the planted harm, `search` its healthy twin. */
export type FlagKey = "checkout" | "search";

export const FLAGS: readonly FlagKey[] = ["checkout", "search"];

export const RELEASES = "/projects/default/environments/production/releases";

/** Shares of the ladder, and the treated visitors each stage waits for. */
const STAGES = [
  { percentage: 5, minUnits: 600 },
  { percentage: 25, minUnits: 1_500 },
  { percentage: 50, minUnits: 3_000 },
  { percentage: 100, minUnits: 6_000 },
];

/** Two flags that are off for everybody, and two releases that say how they go on. Answers an SDK key. */
export async function setUp({ send }: Admin): Promise<string> {
  // Imported with their salts, so that each run of the story treats the same visitors.
  const bundle = {
    format: 1,
    project: { name: "Default", privateAttributes: [] },
    segments: {},
    flags: Object.fromEntries(FLAGS.map((flag) => [flag, flagOf(flag)])),
    environments: { production: { targetings: Object.fromEntries(FLAGS.map((flag) => [flag, OFF])) } },
  };
  const { plan } = await send<{ plan: string }>("POST", "/projects/default/import/plan", { bundle });
  await send("POST", "/projects/default/import", { bundle, plan });
  for (const flag of FLAGS) await send("POST", RELEASES, releaseOf(flag));
  const key = { environment: "production", kind: "server", name: "shops" };
  return (await send<{ secret: string }>("POST", "/projects/default/keys", key)).secret;
}

/** Puts both on their first stage. */
export async function startBoth({ send }: Admin): Promise<void> {
  for (const flag of FLAGS) {
    await send("POST", `${RELEASES}/${flag}/ready`, {});
    await send("POST", `${RELEASES}/${flag}/start`, { reason: "the new version is ready" });
  }
}

const OFF = { enabled: true, off: "off", rules: [], fallthrough: { variant: "off" } };

function flagOf(flag: FlagKey): object {
  const space = (name: string) => ({ salt: `guarded-release:${flag}:${name}:` });
  return {
    type: "boolean",
    variants: { on: true, off: false },
    description: "",
    tags: [],
    kind: "release",
    clientSide: false,
    spaces: { share: space("share"), split: space("split") },
    archived: false,
  };
}

function releaseOf(flag: FlagKey): object {
  return {
    key: flag,
    flag,
    stages: STAGES.map(({ percentage, minUnits }) => ({
      name: `${percentage} %`,
      percentage,
      hold: { minDurationS: 1, minUnits },
      gates: [],
    })),
    guardrails: [
      {
        metric: "failed-orders",
        measure: { kind: "failures", event: `${flag}-failed` },
        harm: "increase",
        margin: 0.5,
        onBreach: "rollback",
        staleAfterS: 120,
      },
    ],
    alertRoutes: ["slack:#releases"],
  };
}
