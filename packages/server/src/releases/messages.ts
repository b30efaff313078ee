/* What people are told of releases, in words. Every move is a change, so that its message is as durable as the move itself. */
import type { Change, Release } from "@belay/protocol";
import type { Notice } from "../webhooks/message.ts";
import { reasonText } from "./plan-text.ts";
import type { ReleaseMessage } from "./teller.ts";

/** One line for a change of a release; `undefined` for what only its authors care for. */
export function releaseSentence({ action, target, environment, actor, after }: Change): string | undefined {
  const sentence = SENTENCES[action];
  const release = after as unknown as Release | undefined;
  if (sentence === undefined || release === undefined) return undefined;
  const what = release.experiment === undefined ? `\`${release.flag}\`` : `the experiment \`${release.experiment}\``;
  return `Release \`${target.key}\` of ${what} in ${environment}: ${sentence(release, actor.name)}`;
}

/**
 * What changes nothing and people hear of all the same: a dry run's breach, and a gate that keeps a release on a stage whose time
 * is over. Each is told once for what it says.
 */
export function messageNotice({
  project,
  environment,
  key,
  kind,
  at,
  text,
  about,
  alertRoutes,
}: ReleaseMessage): Notice | undefined {
  if (kind !== "report" && kind !== "waits") return undefined;
  const lines = text.split("\n");
  return {
    id: `release-${kind}_${environment}_${key}_${about ?? Date.parse(at)}`,
    type: `release.${kind}`,
    project,
    environments: [environment],
    at,
    text: `Release \`${key}\` in ${environment} ${VERBS[kind]}: ${lines.join("; ")}`,
    data: { release: key, environment, [kind]: lines },
    to: alertRoutes,
  };
}

const VERBS = { report: "reports", waits: "waits" } as const;

const SENTENCES: Readonly<Record<string, (release: Release, by: string) => string>> = {
  "release.start": (release, by) => `${by} started it at ${stageOf(release)}`,
  "release.advance": (release, by) => `${by} moved it to ${stageOf(release)}`,
  "release.hold": (release) => `holds at ${stageOf(release)}${because(release)}`,
  "release.resume": (release, by) => `${by} lets it climb on from ${stageOf(release)}`,
  "release.rollback": (release) => `rolls back${because(release)}`,
  "release.rolled-back": ({ rollback }) => `rolled back${receipts(rollback)}`,
  "release.abort": (_, by) => `${by} aborted it`,
  "release.finish": ({ experiment }) =>
    experiment === undefined ? "done: everybody has it" : "done: the experiment runs on at its last share",
};

function stageOf({ stages, stage = 0 }: Release): string {
  const standing = stages[stage];
  return standing === undefined ? `stage ${stage + 1}` : `"${standing.name}" (${standing.percentage} %)`;
}

function because({ reasons }: Release): string {
  return reasons.length === 0 ? "" : `: ${reasons.map(reasonText).join("; ")}`;
}

function receipts(rollback: Release["rollback"]): string {
  if (rollback === undefined) return "";
  const { acknowledged, instances, laggards } = rollback;
  const missing = laggards.length === 0 ? "" : `; not heard of: ${laggards.join(", ")}`;
  return `: ${acknowledged} of ${instances} instances acknowledged${missing}`;
}
