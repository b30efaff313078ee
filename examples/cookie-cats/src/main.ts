// The demo: real players through a real server, its SDK and its API, and every claim proven from what came back out.
import { ADMIN_TOKEN, type Admin, adminOf, startServer } from "@belay/testkit";
import { runApplications, type Work } from "./applications.ts";
import { type Share, sharesByArm } from "./comparison.ts";
import { openLossyDoor, sendAgain } from "./lossy-door.ts";
import { type Crowd, loadPlayers, type Player } from "./players.ts";
import {
  type Proof,
  provesBalance,
  provesMetrics,
  provesNoDuplicates,
  provesOneEach,
  provesPublishedFigures,
  provesSamePulls,
  provesSameVariants,
} from "./proofs.ts";
import {
  exposuresAsCsv,
  exposuresAsNdjson,
  exposuresInPieces,
  metricEvents,
  type PulledExposure,
  type PulledMetric,
} from "./pulled.ts";
import { provesRamp, type RampSeen, rampUpAndDown } from "./ramp.ts";
import { comparisonLine, proofLines, quantiles } from "./report.ts";

const APPLICATIONS = 2;
/** Every so many acknowledgements one gets lost on its way back. */
const LOSE_EVERY = 25;
const PIECE = 20_000;
const ENVIRONMENT = "/projects/default/environments/production";
const ARMS = ["gate_30", "gate_40"] as const;
const GENERATED =
  "the recorded experiment was not at hand; these 100,000 players were GENERATED. Set BELAY_COOKIE_CATS to its CSV (gzip).";

const startedAt = performance.now();
process.exitCode = (await demo()) ? 0 : 1;

/** Runs the whole story; whether every proof held. */
async function demo(): Promise<boolean> {
  const crowd = loadPlayers();
  say(introduction(crowd));
  const server = await startServer();
  try {
    const admin = adminOf(server.url, ADMIN_TOKEN);
    const sdkKey = await define(admin);
    say(`serving on ${server.url}; flags defined`);
    const played = await play(admin, sdkKey, crowd.players.length);
    const seen = { ...played, ...(await pull(admin)) };
    const proofs = proofsOf(crowd, seen);
    report(crowd, seen, proofs);
    return proofs.every(({ holds }) => holds);
  } finally {
    await server.stop();
  }
}

/** A tracked 50/50 split for everybody, and a flag whose percentage will move. Answers an SDK key. */
async function define(admin: Admin): Promise<string> {
  const flags = "/projects/default/flags";
  await admin.send("POST", flags, { key: "gate", type: "number", kind: "experiment", variants: { gate_30: 30, gate_40: 40 } });
  await admin.send("PUT", `${ENVIRONMENT}/flags/gate`, {
    enabled: true,
    off: "gate_30",
    rules: [],
    fallthrough: { weights: { gate_30: 50, gate_40: 50 }, tracks: { experiment: "gate" } },
    reason: "the demo's experiment",
  });
  await admin.send("POST", flags, { key: "new-shop", description: "Its percentage moves while the experiment runs." });
  const key = { environment: "production", kind: "server", name: "demo" };
  const { secret } = await admin.send<{ secret: string }>("POST", "/projects/default/keys", key);
  return secret;
}

/** The applications work through the players while an operator moves a percentage. */
async function play(
  admin: Admin,
  sdkKey: string,
  players: number,
): Promise<{ work: Work; ramp: RampSeen; retries: Parameters<typeof provesNoDuplicates>[1] }> {
  const door = await openLossyDoor(admin.url, LOSE_EVERY);
  const enough = new AbortController();
  try {
    const ramping = rampUpAndDown(admin, sdkKey, "new-shop", `${ENVIRONMENT}/flags/new-shop`, enough.signal);
    const work = await runApplications(APPLICATIONS, { url: door.url, sdkKey }, progress(players));
    enough.abort();
    const ramp = await ramping;
    const batch = door.lastUnacknowledged();
    const receipt = batch === undefined ? { accepted: 0, duplicates: 0 } : await sendAgain(admin.url, batch);
    return {
      work,
      ramp,
      retries: {
        acknowledgementsLost: door.acknowledgementsLost(),
        replayed: receipt.accepted + receipt.duplicates,
        replayedAsDuplicates: receipt.duplicates,
      },
    };
  } finally {
    enough.abort();
    await door.close();
  }
}

interface Pulled {
  readonly ndjson: readonly PulledExposure[];
  readonly csv: readonly PulledExposure[];
  readonly pieces: readonly PulledExposure[];
  readonly metrics: readonly PulledMetric[];
  readonly pullMs: number;
}

async function pull(admin: Admin): Promise<Pulled> {
  say("pulling exposures as NDJSON, as CSV and in pieces, metric events as NDJSON");
  const from = performance.now();
  const query = "environment=production&flag=gate&experiment=gate";
  const ndjson = await exposuresAsNdjson(admin, query);
  const csv = await exposuresAsCsv(admin, query);
  const pieces = await exposuresInPieces(admin, query, PIECE);
  const metrics = await metricEvents(admin, "environment=production");
  return { ndjson, csv, pieces, metrics, pullMs: performance.now() - from };
}

type Seen = Pulled & Awaited<ReturnType<typeof play>>;

function proofsOf({ players, origin }: Crowd, { work, ramp, retries, ndjson, csv, pieces, metrics }: Seen): Proof[] {
  const ids = [...ndjson, ...metrics].map(({ id }) => id);
  const expected = players.length * 4;
  return [
    provesOneEach(players, ndjson),
    provesSameVariants(work.decisions, ndjson),
    provesBalance(ARMS, ndjson),
    provesMetrics(players, metrics),
    {
      claim: "nothing lost or dropped, the same player decided alike",
      holds: work.events === expected && ids.length === expected && work.dropped === 0 && work.undecided === 0,
      found: `${work.events} events acknowledged, ${ids.length} pulled, ${work.dropped} dropped, ${work.undecided} decided otherwise the second time`,
    },
    provesNoDuplicates(ids, retries),
    provesSamePulls(ndjson, { CSV: csv, pieces }),
    provesRamp(ramp),
    ...(origin === "real" ? [provesPublishedFigures(retention(metrics, originalArms(players)))] : []),
  ];
}

function report(crowd: Crowd, { work, ramp, ...pulled }: Seen, proofs: readonly Proof[]): void {
  const ours = new Map(pulled.ndjson.map(({ unit, variant }) => [unit, variant]));
  const compare = (arms: ReadonlyMap<string, string>): string[] =>
    Object.entries(retention(pulled.metrics, arms)).map(([metric, shares]) => comparisonLine(metric, shares));
  const lines = [
    "",
    "What was proven",
    ...proofLines(proofs),
    "",
    "How fast, on this machine, with everything running at once",
    ...speedLines(work, ramp, pulled),
    "",
    `Retention by the arms they were in ${crowd.origin === "real" ? "(the recorded experiment)" : "(generated: dice decided)"}`,
    ...compare(originalArms(crowd.players)),
    "Retention by our arms (an A/A comparison: our split knew nothing of the game, so expect none; one interval in twenty misses zero by chance)",
    ...compare(ours),
    "",
    ...(crowd.origin === "generated" ? [`NOTE: ${GENERATED}`] : []),
    proofs.every(({ holds }) => holds) ? "All proofs hold." : "A PROOF FAILED; see above.",
  ];
  console.log(lines.join("\n"));
}

function speedLines(work: Work, ramp: RampSeen, { ndjson, csv, pieces, metrics, pullMs }: Pulled): string[] {
  const { p50, p99 } = quantiles(ramp.afterSendingMs);
  const late =
    ramp.afterAnswerMs.length === 0 ? "" : `, the others within ${Math.max(...ramp.afterAnswerMs).toFixed(1)} ms after it`;
  const rows = ndjson.length + csv.length + pieces.length + metrics.length;
  return [
    `  events   ${perSecond(work.events, work.tookMs)}: decided, sent and on disk by ${APPLICATIONS} applications, waits after lost acknowledgements included`,
    `  changes  from sending the REST request to another decision p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, ${ramp.afterSendingMs.length} changes;`,
    `           ${ramp.beforeAnswer} of them were in force before the REST answer had been read${late}`,
    `  pulls    ${perSecond(rows, pullMs)}: rows pulled and parsed, the wait for the newest events included`,
  ];
}

function originalArms(players: readonly Player[]): ReadonlyMap<string, string> {
  return new Map(players.map(({ id, originalArm }) => [id, originalArm]));
}

function retention(metrics: readonly PulledMetric[], arms: ReadonlyMap<string, string>): Record<string, Share[]> {
  const of = (metric: string): Share[] => sharesByArm(metrics, metric, (unit) => arms.get(unit));
  return { retention_1: of("retention_1"), retention_7: of("retention_7") };
}

function introduction({ players, origin }: Crowd): string {
  if (origin === "generated") return `NOTE: ${GENERATED}`;
  return `${players.length} players of the recorded Cookie Cats experiment`;
}

/** Says how far the applications are, at each tenth. */
function progress(players: number): (done: number) => void {
  let said = 0;
  return (done) => {
    const tenth = Math.floor((10 * done) / players);
    if (tenth > said) say(`${tenth * 10} % of the players decided, tracked and acknowledged`);
    said = Math.max(said, tenth);
  };
}

function say(text: string): void {
  console.log(`[${((performance.now() - startedAt) / 1000).toFixed(1).padStart(5)} s] ${text}`);
}

function perSecond(count: number, tookMs: number): string {
  return `${count} in ${(tookMs / 1000).toFixed(1)} s, ${Math.round((1000 * count) / tookMs)}/s`;
}
