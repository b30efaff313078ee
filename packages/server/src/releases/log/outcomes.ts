/* What came of a release's predictions, written down once it is over: pure, `(state, facts) -> decision`. */
import type { EpochMs, PredictionOutcome, ReleaseLog } from "@belay/protocol";
import type { Decision } from "../../control/decision.ts";
import { writeProjectDocument } from "../../control/project-document.ts";
import type { Held, OutcomesDocument, ProjectState, ReleaseDocument } from "../../state/workspace.ts";
import type { ReleaseId } from "../watchtower.ts";

/** Events that were under way, and receipts, are in what is written so long after the end. */
export const SETTLED_MS: number = 15 * 60_000;

/** Where the outcomes of a release are kept in its project. */
export function outcomesKey({ environment, key }: Pick<ReleaseId, "environment" | "key">): string {
  return `${environment}/${key}`;
}

/** Is a release over, and what came of its predictions not written down? One that was taken back after its end is over anew. */
export function isOwed(
  { predictions, startedAt, endedAt }: ReleaseDocument,
  known: OutcomesDocument | undefined,
  now: EpochMs,
): boolean {
  if (predictions.length === 0 || startedAt === undefined || endedAt === undefined || known?.endedAt === endedAt) return false;
  return now >= Date.parse(endedAt) + SETTLED_MS;
}

export function outcomesOf({ predictions }: Pick<ReleaseLog, "predictions">): PredictionOutcome[] {
  return predictions.map(({ metric, mean, interval, level, actual }) => ({ metric, mean, interval, level, actual }));
}

export function fileOutcomes(project: ProjectState, id: ReleaseId, after: OutcomesDocument): Decision<OutcomesDocument> {
  const key = outcomesKey(id);
  const before = project.outcomes.get(key);
  const view = ({ body }: Held<OutcomesDocument>): OutcomesDocument => body;
  return writeProjectDocument(project, { kind: "outcomes", key, action: "release.outcomes", before, after, view });
}
