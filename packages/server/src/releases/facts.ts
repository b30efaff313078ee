import type {
  EpochMs,
  GateId,
  Guardrail,
  Ppm,
  ReleaseEvidence,
  ReleasePlanFields,
  ReleaseReason,
  ReleaseState,
  Revision,
  Role,
  VariantName,
} from "@belay/protocol";
import type { Verdict } from "@belay/stats";

/** What people decided of a release: it does not change while it climbs. */
export interface Policy extends Omit<ReleasePlanFields, "description"> {
  readonly author: string;
}

/** Everything the planner may look at besides the policy and the clock. It asks nobody. */
export interface Facts {
  /** What the facts were read at; a plan holds only while it stands so. */
  readonly seen: { readonly release: Revision; readonly targeting: Revision };
  readonly state: ReleaseState;
  readonly stage: number;
  readonly stageSince: EpochMs;
  /** What the flag gives now; less than the stage when somebody lowered it by hand or switched it off. */
  readonly livePpm: Ppm;
  /** Who told it to hold. */
  readonly heldBy?: string;
  /** Why the project is frozen. */
  readonly frozen?: string;
  /** Treated units first exposed in this stage; absent: not known. */
  readonly units?: number;
  /** Roles that approved leaving this stage, one of each person. */
  readonly approvals: readonly Role[];
  readonly guardrails: readonly GuardrailFact[];
  /** Do the arms have other sizes than designed? */
  readonly isMismatched: boolean;
  readonly exposuresAt?: EpochMs;
  readonly metricsAt?: EpochMs;
  /** Share of exposures that were made and are lost; absent: not known. */
  readonly loss?: number;
  readonly evidence: ReleaseEvidence;
}

export interface GuardrailFact {
  readonly metric: string;
  readonly verdict: Verdict;
  /** ln of the evidence of harm. */
  readonly logE: number;
  /** At this stage's size; absent: it cannot be told yet. */
  readonly isNonInferior?: boolean;
  /** At the stage's pace, until that can be expected if nothing is wrong; absent: it cannot be told yet, or is out of reach. */
  readonly daysToTell?: number;
  readonly lastEventAt?: EpochMs;
  /** Of an experiment: the treatment that looks worst. */
  readonly treatment?: VariantName;
}

/** What to do with a release, with no choices left in it. */
export type Plan = Move & {
  /** Guardrails that only report: breaches of dry runs and of those that warn. */
  readonly reports: readonly ReleaseReason[];
};

type Move =
  | { readonly kind: "advance"; readonly seen: Facts["seen"]; readonly from: number; readonly to: number }
  /** `isAlarm`: something is wrong and people are told; otherwise it waits, and nothing is wrong. */
  | {
      readonly kind: "hold";
      readonly seen: Facts["seen"];
      readonly reasons: readonly ReleaseReason[];
      readonly isAlarm: boolean;
    }
  | { readonly kind: "rollback"; readonly seen: Facts["seen"]; readonly reason: ReleaseReason }
  | { readonly kind: "finish"; readonly seen: Facts["seen"] }
  | { readonly kind: "nothing" };

/** Answers a gate's question: why it is closed; nothing when it is open. */
export type Gate = (policy: Policy, facts: Facts, now: EpochMs) => readonly ReleaseReason[];

export type Gates = Readonly<Record<GateId, Gate>>;

/** A guardrail of the policy with what is known of it. */
export interface Watched {
  readonly guardrail: Guardrail;
  readonly fact: GuardrailFact;
}

/** Guardrails that may move the release: dry runs are none of them. One that nobody has heard of has no data. */
export function watched(policy: Policy, facts: Facts): Watched[] {
  return all(policy, facts).filter(({ guardrail }) => guardrail.dryRun !== true);
}

export function all(policy: Policy, facts: Facts): Watched[] {
  return policy.guardrails.map((guardrail) => ({
    guardrail,
    fact: facts.guardrails.find(({ metric }) => metric === guardrail.metric) ?? {
      metric: guardrail.metric,
      verdict: "quiet",
      logE: 0,
    },
  }));
}

/** Has a guardrail no event that is young enough to be believed? */
export function isSilent({ guardrail, fact }: Watched, now: EpochMs): boolean {
  return fact.lastEventAt === undefined || now - fact.lastEventAt > 1_000 * guardrail.staleAfterS;
}
