/* The experiment that is added up, whatever holds its events: 5 metrics, 3 segments, 14 days. */

export const DAYS = 14;
export const DAY_MS = 86_400_000;
export const START_MS: number = Date.UTC(2026, 10, 1);

/** What is asked after so many days; after none, what makes a store ready and finds nothing. */
export function question(days: number): unknown {
  const week = { fromMs: 0, toMs: 7 * DAY_MS };
  const events = (name: string): { readonly name: string } => ({ name });
  return {
    ...{
      project: "default",
      environment: "production",
      subject: { experiment: "exp" },
      fromMs: START_MS,
      asOfMs: START_MS + days * DAY_MS,
    },
    segments: days === 0 ? [] : ["country", "plan", "device"],
    metrics: [
      { key: "conversion", value: { kind: "any", events: events("purchase") }, window: week },
      { key: "visits", value: { kind: "count", events: events("visit") }, window: week, covariateMs: 7 * DAY_MS },
      { key: "revenue", value: { kind: "sum", events: events("purchase"), cap: 300 }, window: week },
      { key: "errors", value: { kind: "any", events: events("error") }, window: { fromMs: 0 } },
      { key: "latency", value: { kind: "mean", events: events("latency") }, window: { fromMs: 0 } },
    ],
  };
}
