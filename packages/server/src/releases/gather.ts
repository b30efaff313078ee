/* The facts of a release, put together from what the state, the watch and the ledger know. Pure. */
import type { EpochMs, Freeze, Targeting } from "@belay/protocol";
import type { FreezeDocument, Held, ReleaseDocument } from "../state/workspace.ts";
import { exposedPpm } from "./exposure.ts";
import type { Facts } from "./facts.ts";
import type { Epoch, Reading } from "./guardrails.ts";
import { ppmOf } from "./plan.ts";

/** What was heard of a release; all of it absent: nothing was, and so nothing advances. */
export interface Heard {
  readonly reading?: Reading;
  readonly loss?: number;
}

/** The facts of a started release. */
export function gather(
  release: Held<ReleaseDocument>,
  targeting: Held<Targeting>,
  freeze: FreezeDocument | undefined,
  { reading, loss }: Heard,
): Facts {
  const { body } = release;
  const stage = body.stage ?? 0;
  const frozen = openWindow(freeze)?.reason;
  return {
    seen: { release: release.revision, targeting: targeting.revision },
    state: body.state,
    stage,
    stageSince: stageSince(body),
    livePpm: exposedPpm(targeting.body, body),
    ...(body.heldBy === undefined ? {} : { heldBy: body.heldBy }),
    ...(frozen === undefined ? {} : { frozen }),
    ...(reading === undefined ? {} : { units: reading.units }),
    approvals: body.approvals.filter((approval) => approval.stage === stage).map(({ role }) => role),
    guardrails: reading?.guardrails ?? [],
    isMismatched: reading?.isMismatched ?? false,
    ...(reading?.exposuresAt === undefined ? {} : { exposuresAt: reading.exposuresAt }),
    ...(reading?.metricsAt === undefined ? {} : { metricsAt: reading.metricsAt }),
    ...(loss === undefined ? {} : { loss }),
    evidence: body.evidence,
  };
}

/** The stretches of one share that a watch counts by. */
export function epochsOf(body: ReleaseDocument): Epoch[] {
  return body.epochs.map(({ stage, from, revision }) => ({ from: Date.parse(from), ppm: ppmOf(body, stage), revision }));
}

/** The window of a freeze that is on. */
export function openWindow(freeze: FreezeDocument | undefined): Freeze["windows"][number] | undefined {
  const last = freeze?.windows.at(-1);
  return last?.to === undefined ? last : undefined;
}

function stageSince({ epochs, startedAt, createdAt }: ReleaseDocument): EpochMs {
  return Date.parse(epochs.at(-1)?.from ?? startedAt ?? createdAt);
}
