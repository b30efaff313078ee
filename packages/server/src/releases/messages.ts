/* What people are told of releases, in words. Every move is a change, so that its message is as durable as the move itself. */
import type { Change, Release } from "@belay/protocol";
import type { Notice } from "../webhooks/message.ts";
import { reasonText } from "./plan-text.ts";
import type { ReleaseMessage } from "./service.ts";

/** One line for a change of a release; `undefined` for what only its authors care for. */
export function releaseSentence({ action, target, environment, actor, after }: Change): string | undefined {
  const sentence = SENTENCES[action];
  const release = after as unknown as Release | undefined;
  if (sentence === undefined || release === undefined) return undefined;
  const what = release.experiment === undefined ? `\`${release.flag}\`` : `the experiment \`${release.experiment}\``;
  return `Release \`${target.key}\` of ${what} in ${environment}: ${sentence(release, actor.name)}`;
}

/** A dry run's breach: nothing changes, and people hear of it all the same. Told once for what it says. */
export function reportNotice({ project, environment, key, kind, at, text }: ReleaseMessage): Notice | undefined {
  if (kind !== "report") return undefined;
  const sentence = `Release \`${key}\` in ${environment} reports: ${text.replaceAll("\n", "; ")}`;
  return {
    id: `release-report_${environment}_${key}_${Date.parse(at)}`,
    type: "release.report",
    project,
    environments: [environment],
    at,
    text: sentence,
    data: { release: key, environment, reports: text.split("\n") },
  };
}

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
