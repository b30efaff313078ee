import { setTimeout as sleep } from "node:timers/promises";
import { type Admin, adminOf, startServer } from "@belay/testkit";
import { FLAGS, type FlagKey, RELEASES, setUp, startBoth } from "./flags.ts";
import { barLine } from "./lines.ts";
import type { Report } from "./report.ts";
import { openShops, type Shops } from "./shops.ts";

/** How things stood at one look. */
export interface Look {
  /** Since both releases started. */
  readonly atMs: number;
  /** Evidence of harm by flag: 20 holds, 100 takes back. Absent once nobody watches any more. */
  readonly evidence: Partial<Record<FlagKey, number>>;
  /** Share of its latest visitors that each shop gave the new version, by flag. */
  readonly shares: Readonly<Record<FlagKey, readonly number[]>>;
}

/** What the story reads of a release. */
export interface ReleaseSeen {
  readonly state: string;
  readonly stage?: number;
  readonly stages: readonly { readonly percentage: number }[];
  readonly reasons: readonly { readonly code: string; readonly subject?: string }[];
  readonly rollback?: {
    readonly detectedAt?: string;
    readonly decidedAt: string;
    readonly publishedAt: string;
    readonly instances: number;
    readonly acknowledged: number;
    readonly ms100?: number;
    readonly laggards: readonly string[];
  };
}

export interface Story {
  readonly looks: readonly Look[];
  readonly releases: Readonly<Record<FlagKey, ReleaseSeen>>;
  /** What each shop served after the server said that all had acknowledged the rollback. */
  readonly afterwards: readonly Report[];
  /** Since the start: when the evidence was enough, and when the last shop had acknowledged the rollback. */
  readonly rollback: { readonly decidedAtMs: number; readonly offAtMs: number };
}

export interface StoryOptions {
  /** Of all shops together. @default 1,500 */
  readonly visitorsPerSecond?: number;
  readonly say: (atMs: number, line: string) => void;
}

const SHOPS = 3;
const LOOK_EVERY_MS = 100;
const BAR_EVERY_MS = 500;
/** Visitors each shop serves after the rollback, before the story ends. */
const AFTERWARDS = 400;
/** How long the twin is seen on its higher stage. */
const LINGER_MS = 1_500;
/** A story that did not end by then never will. */
const PATIENCE_MS = 120_000;

/**
 * Plays the story on a server of its own and ends it when the harm is gone and the healthy twin stands on a higher stage.
 *
 * @throws Error when that did not happen within two minutes.
 */
export async function play({ visitorsPerSecond = 1_500, say }: StoryOptions): Promise<Story> {
  const server = await startServer();
  try {
    const admin = adminOf(server.url, server.adminToken);
    const sdkKey = await setUp(admin);
    const shops = await openShops(SHOPS, { url: server.url, sdkKey, visitorsPerSecond: visitorsPerSecond / SHOPS });
    try {
      await startBoth(admin);
      return await watch(admin, shops, say);
    } finally {
      await shops.close();
    }
  } finally {
    await server.stop();
  }
}

async function watch(admin: Admin, shops: Shops, say: StoryOptions["say"]): Promise<Story> {
  const startedAt = Date.now();
  const looks: Look[] = [];
  let said = new Map<FlagKey, string>();
  let barAtMs = 0;
  let higherSince: number | undefined;
  let afterwards: (() => readonly Report[]) | undefined;
  for (;;) {
    const atMs = Date.now() - startedAt;
    const [releases, evidence] = await Promise.all([readReleases(admin), readEvidence(admin)]);
    const look = { atMs, evidence, shares: sharesOf(shops) };
    looks.push(look);
    said = sayChanges(releases, said, (line) => say(atMs, line));
    if (atMs >= barAtMs) {
      say(atMs, barLine(look));
      barAtMs = atMs + BAR_EVERY_MS;
    }
    const { checkout, search } = releases;
    if (checkout.state === "rolled-back") afterwards ??= shops.count();
    if ((search.stage ?? 0) > 0) higherSince ??= atMs;
    const served = afterwards?.() ?? [];
    const isServed = served.length === SHOPS && served.every(({ visitors }) => visitors >= AFTERWARDS);
    if (isServed && higherSince !== undefined && atMs - higherSince >= LINGER_MS) {
      return { looks, releases, afterwards: served, rollback: timesOf(checkout, startedAt) };
    }
    if (atMs > PATIENCE_MS) throw new Error(`The story did not end: ${JSON.stringify(releases)}`);
    await sleep(LOOK_EVERY_MS);
  }
}

function timesOf({ rollback }: ReleaseSeen, startedAt: number): Story["rollback"] {
  const decidedAtMs = Date.parse(rollback?.decidedAt ?? "") - startedAt;
  return { decidedAtMs, offAtMs: decidedAtMs + (rollback?.ms100 ?? Number.NaN) };
}

async function readReleases({ send }: Admin): Promise<Record<FlagKey, ReleaseSeen>> {
  const [checkout, search] = await Promise.all([
    send<ReleaseSeen>("GET", `${RELEASES}/checkout`),
    send<ReleaseSeen>("GET", `${RELEASES}/search`),
  ]);
  return { checkout, search };
}

async function readEvidence({ send }: Admin): Promise<Look["evidence"]> {
  const read = async (flag: FlagKey): Promise<Look["evidence"]> => {
    const { items } = await send<{ items: { logEvidence: number }[] }>("GET", `${RELEASES}/${flag}/guardrails`);
    const [guardrail] = items;
    return guardrail === undefined ? {} : { [flag]: Math.exp(guardrail.logEvidence) };
  };
  return Object.assign({}, ...(await Promise.all(FLAGS.map(read))));
}

function sharesOf(shops: Shops): Look["shares"] {
  const reports = shops.lately();
  const of = (flag: FlagKey): number[] => reports.map(({ visitors, treated }) => (visitors === 0 ? 0 : treated[flag] / visitors));
  return { checkout: of("checkout"), search: of("search") };
}

/** One line for each release whose state or stage is another than when it was last told. */
function sayChanges(
  releases: Readonly<Record<FlagKey, ReleaseSeen>>,
  before: ReadonlyMap<FlagKey, string>,
  say: (line: string) => void,
): Map<FlagKey, string> {
  const now = new Map<FlagKey, string>();
  for (const flag of FLAGS) {
    const text = describe(releases[flag]);
    if (before.get(flag) !== text) say(`${flag}: ${text}`);
    now.set(flag, text);
  }
  return now;
}

function describe({ state, stage = 0, stages, reasons, rollback }: ReleaseSeen): string {
  const why = reasons.map(({ code, subject }) => [code, subject].filter(Boolean).join(" of ")).join(", ");
  if (state === "rolling-back") return `ROLLING BACK, ${why}`;
  if (state !== "rolled-back" || rollback === undefined) return `${state} at ${stages[stage]?.percentage} %${why && `, ${why}`}`;
  const { acknowledged, instances, ms100 } = rollback;
  return `ROLLED BACK, ${acknowledged} of ${instances} instances off ${ms100 ?? "?"} ms after the decision`;
}
