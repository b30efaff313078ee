import type { Condition, Part, Rule, Snapshot, SnapshotChange, SnapshotFlag } from "@belay/protocol";
import { type BelayClient, createClient } from "@belay/sdk-node";
import type { OpenClient, Rival } from "./rival.ts";
import { startSink } from "./sink.ts";
import { type FlagWork, type TargetedWork, type User, VARIANTS } from "./work.ts";

/** Belay through its public client, as an application uses it. */
export const belay: Rival = {
  name: "@belay/sdk-node",
  version: "this commit",
  answers: "sync",
  tracks: "batches to a stubbed server, each unit once",
  document: (flags, { isTracking }) => JSON.stringify(snapshotOf(flags, isTracking)),
  open: (document, options) => (options.isTracking || options.isSwapped === true ? openOnline(document) : open(document)),
};

const REVISION = 7;
const SILENT = { warn: (): void => {}, error: (): void => {} };

async function open(document: string): Promise<OpenClient> {
  const client = createClient({ offline: true, bootstrap: JSON.parse(document) as Snapshot, logger: SILENT });
  return { ...facesOf(client), close: async () => void (await client.close()) };
}

/** A real ledger and a real stream; only the server is a stub. */
async function openOnline(document: string): Promise<OpenClient> {
  const sink = await startSink({
    answers: { "/sdk/v1/snapshot": document },
    posted: '{"accepted":0,"duplicates":0,"rejected":[]}',
    stream: { path: "/sdk/v1/stream", opening: message("snapshot", REVISION, document) },
    exposure: { pattern: '"unit":' },
  });
  const client = createClient({ url: sink.url, sdkKey: "benchmark", flushOnExit: false, logger: SILENT });
  if ((await client.ready()) !== "live") throw new Error(`Belay is ${client.state} on the stubbed server`);
  return {
    ...facesOf(client),
    async exposures() {
      await client.flush();
      return sink.exposures();
    },
    prepareSwap(flags, changed) {
      const { project, environment } = snapshotOf(flags, false);
      const revision = REVISION + 1;
      const change: SnapshotChange = {
        ...{ format: 1, project, environment, from: REVISION, revision },
        ...{ spaces: {}, segments: {}, flags: { [changed.key]: flagOf(changed, false) } },
      };
      const text = message("change", revision, JSON.stringify(change));
      return () => sink.push(text);
    },
    async close() {
      await client.close();
      await sink.close();
    },
  };
}

function message(name: string, id: number, data: string): string {
  return `event: ${name}\nid: ${id}\ndata: ${data}\n\n`;
}

type Faces = Pick<OpenClient, "context" | "isOn" | "variant">;

function facesOf(client: BelayClient): Faces {
  return {
    context: contextOf,
    isOn: (key, context, fallback) => client.isEnabled(key, context as Context, fallback),
    variant: (key, context) => client.value(key, context as Context, "control"),
  };
}

type Context = ReturnType<typeof contextOf>;

function contextOf({ id, attributes }: User): { targetingKey: string; country?: string; version?: string; email?: string } {
  if (attributes === undefined) return { targetingKey: id };
  return { targetingKey: id, country: attributes.country, version: attributes.version, email: attributes.email };
}

function snapshotOf(flags: readonly FlagWork[], isTracking: boolean): Snapshot {
  return {
    format: 1,
    project: "benchmark",
    environment: "production",
    revision: REVISION,
    spaces: {},
    segments: {},
    flags: Object.fromEntries(flags.map((flag) => [flag.key, flagOf(flag, isTracking)])),
  };
}

function flagOf(work: FlagWork, isTracking: boolean): SnapshotFlag {
  return work.kind === "experiment" ? experimentOf(work.key, isTracking) : booleanOf(work.key, rulesOf(work));
}

function booleanOf(key: string, rules: Rule[]): SnapshotFlag {
  return {
    type: "boolean",
    variants: { on: true, off: false },
    spaces: { share: { salt: saltOf(key) } },
    enabled: true,
    off: "off",
    rules,
    fallthrough: { variant: "off" },
  };
}

function experimentOf(key: string, isTracking: boolean): SnapshotFlag {
  const edges = [0, 333_333, 666_666, 1_000_000];
  const parts = VARIANTS.map(
    (variant, arm): Part => ({
      variant,
      draws: [{ space: "split", in: [[edges[arm] as number, edges[arm + 1] as number]] }],
      ...(isTracking ? { tracks: { experiment: key, epoch: 1 } } : {}),
    }),
  );
  return {
    type: "string",
    variants: Object.fromEntries(VARIANTS.map((name) => [name, name])),
    spaces: { split: { salt: saltOf(key) } },
    enabled: true,
    off: "control",
    rules: [{ id: "experiment", serve: { split: parts } }],
    fallthrough: { variant: "control" },
  };
}

function rulesOf(work: Exclude<FlagWork, { kind: "experiment" }>): Rule[] {
  if (work.kind === "rollout") return [rollout("everybody", undefined, work.percent)];
  if (work.kind === "targeted") return [rollout("targeted", conditionOf(work), work.percent)];
  return work.rules.map(({ countries, percent }, index) =>
    rollout(`rule-${index}`, { attribute: "country", op: "in", value: [...countries] }, percent),
  );
}

function rollout(id: string, when: Condition | undefined, percent: number): Rule {
  return {
    id,
    ...(when === undefined ? {} : { when }),
    serve: { split: [{ variant: "on", draws: [{ space: "share", in: [[0, percent * 10_000]] }] }] },
  };
}

function conditionOf({ countries, versionFrom, emailEnd }: TargetedWork): Condition {
  return {
    all: [
      { attribute: "country", op: "in", value: [...countries] },
      { attribute: "version", op: "semverGte", value: versionFrom },
      { attribute: "email", op: "endsWith", value: emailEnd },
    ],
  };
}

/** Eight characters, as Belay makes them, of the key's own. */
function saltOf(key: string): string {
  let state = 7;
  for (const character of key) state = (Math.imul(state, 31) + character.charCodeAt(0)) >>> 0;
  return state.toString(32).padStart(8, "k").slice(-8);
}
