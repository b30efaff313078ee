/* How long decisions of a release took: pure, from its versions and what was judged. */
import type { EpochMs, GuardrailRecord, ReleaseLatencies, StageLatency } from "@belay/protocol";
import type { ReleaseDocument } from "../../state/workspace.ts";
import type { Version } from "./timeline.ts";

export function latenciesOf(
  { body, versions }: { readonly body: ReleaseDocument; readonly versions: readonly Version[] },
  guardrails: readonly GuardrailRecord[],
  at: EpochMs,
): ReleaseLatencies {
  const { createdAt, startedAt, rollback } = body;
  const firstResult = guardrails
    .flatMap(({ looks }) => looks.filter(({ verdict, isNonInferior }) => verdict !== "quiet" || isNonInferior === true))
    .map((look) => Date.parse(look.at))
    .sort((a, b) => a - b)[0];
  const full = versions.find((version) => version.body.state === "full")?.change.at;
  const between = (name: keyof ReleaseLatencies, from: string | undefined, to: number | undefined) =>
    from === undefined || to === undefined ? {} : { [name]: to - Date.parse(from) };
  return {
    ...between("draftedToStarted", createdAt, startedAt === undefined ? undefined : Date.parse(startedAt)),
    ...between("startedToFirstResult", startedAt, firstResult),
    ...between("startedToFull", startedAt, full),
    ...between("detectedToDecided", rollback?.detectedAt, rollback === undefined ? undefined : Date.parse(rollback.decidedAt)),
    ...(rollback?.ms100 === undefined ? {} : { decidedToOff: rollback.ms100 }),
    holding: holdingMs(versions, at),
    stages: stagesOf(body, versions, at),
  };
}

function holdingMs(versions: readonly Version[], at: EpochMs): number {
  return versions.reduce((sum, { change, body }, index) => {
    const until = versions[index + 1]?.change.at ?? at;
    return body.state === "holding" ? sum + until - change.at : sum;
  }, 0);
}

function stagesOf({ stages }: ReleaseDocument, versions: readonly Version[], at: EpochMs): StageLatency[] {
  const entered = versions.filter(
    ({ body }, index) => body.stage !== undefined && body.stage !== versions[index - 1]?.body.stage,
  );
  return entered.map(({ change, body }, index): StageLatency => {
    const stage = body.stage ?? 0;
    const { name = "", percentage = 0, hold } = stages[stage] ?? {};
    const left =
      entered[index + 1]?.change.at ?? versions.find((one) => one.change.id > change.id && isOver(one.body))?.change.at;
    const stayed = (left ?? at) - change.at;
    return {
      ...{ stage, name, percentage, from: iso(change.at) },
      ...(left === undefined ? {} : { to: iso(left) }),
      stayed,
      waited: Math.max(0, stayed - 1_000 * (hold?.minDurationS ?? 0)),
    };
  });
}

function isOver({ state }: ReleaseDocument): boolean {
  return state === "done" || state === "rolling-back" || state === "rolled-back" || state === "aborted";
}

const iso = (at: number): string => new Date(at).toISOString();
