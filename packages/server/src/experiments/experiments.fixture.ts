import { E, P } from "../app.fixture.ts";
import type { RecordingServer } from "../record-doors.fixture.ts";

/** A draft that is ready to start once its flag's split tracks it. */
export const DRAFT = {
  key: "checkout-test",
  hypothesis: "A shorter checkout sells more",
  flag: "checkout",
  environment: "production",
  control: "long",
  treatments: ["short"],
  metrics: { primary: ["buyers"], secondary: ["revenue"], guardrails: ["errors"] },
  plan: { smallestEffect: 0.1, horizonDays: 14 },
  alertRoute: "mailto:team@example.org",
};

/** The flag `checkout` with the variants long, short and none, and the metrics that `DRAFT` names. */
export async function layGround({ ask }: RecordingServer): Promise<void> {
  await ask("POST", `${P}/flags`, { key: "checkout", type: "string", variants: { long: "l", short: "s", none: "n" } });
  const metric = (key: string, measure: object, good: string): Promise<unknown> =>
    ask("POST", `${P}/metrics`, { key, measure, good, unseen: true });
  await metric("buyers", { kind: "proportion", events: { name: "purchase" } }, "increase");
  await metric("revenue", { kind: "sum", events: { name: "purchase" } }, "increase");
  await metric("errors", { kind: "proportion", events: { name: "error" } }, "decrease");
}

/** Lets a split of the flag track an experiment. */
export async function track(
  { ask }: RecordingServer,
  { weights = { long: 50, short: 50 }, experiment = DRAFT.key, ...more }: Tracking = {},
): Promise<{ status: number; body: { code?: string } }> {
  return ask("PUT", `${E}/flags/checkout`, {
    enabled: true,
    off: "long",
    rules: [],
    fallthrough: { weights, tracks: { experiment } },
    ...more,
  });
}

interface Tracking {
  readonly weights?: Readonly<Record<string, number>>;
  readonly experiment?: string;
  readonly newEpoch?: boolean;
  readonly enabled?: boolean;
  readonly fallthrough?: object;
}
