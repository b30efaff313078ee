/* When a flag has outlived its use, and how a project says what that is. Pure. */
import type { EpochMs, FlagKey, StaleReason, StaleReasonCode, StaleRule, Targeting, VariantName } from "@belay/protocol";
import { asJson, type Decision, type Edit } from "../control/decision.ts";
import { writeProjectDocument } from "../control/project-document.ts";
import { projectStream } from "../control/streams.ts";
import type { FlagDocument, ProjectDocument, ProjectState, StaleDocument } from "../state/workspace.ts";
import { rolloutState } from "./rollout.ts";

const STALE_DAYS_DEFAULT: Required<Pick<StaleRule, "fullDays" | "unseenDays">> = { fullDays: 30, unseenDays: 30 };

const DAY_MS = 86_400_000;

/** What is known of one flag. */
export interface FlagFacts {
  readonly flag: FlagDocument;
  /** Environments in which everybody gets one variant that is not the `off` one, and since when. */
  readonly full: readonly { readonly environment: string; readonly since: EpochMs }[];
  /** Start of the last UTC day on which an SDK decided it; absent: never since counts are read. */
  readonly seenAt?: EpochMs;
  /** The same for questions that found no flag. */
  readonly askedAt?: EpochMs;
  /** Since when counts are read here. */
  readonly watchedSince: EpochMs;
}

export function staleRuleOf({ document }: ProjectState): Required<Omit<StaleRule, "reason">> {
  return ruleIn(document.body);
}

function ruleIn({ stale }: ProjectDocument): Required<Omit<StaleRule, "reason">> {
  return { ...STALE_DAYS_DEFAULT, ...stale };
}

export function setStaleRule(project: ProjectState, { fullDays, unseenDays }: StaleRule): Decision<Omit<StaleRule, "reason">> {
  const before = staleRuleOf(project);
  const stale = { fullDays: fullDays ?? before.fullDays, unseenDays: unseenDays ?? before.unseenDays };
  if (before.fullDays === stale.fullDays && before.unseenDays === stale.unseenDays) {
    return { kind: "unchanged", answer: before, revision: project.document.revision };
  }
  return writeProjectDocument(project, {
    ...{ kind: "project", key: project.key, action: "project.stale-rule", before: project.document },
    after: { ...project.document.body, stale },
    view: (held) => ruleIn(held.body),
    shown: ruleIn,
  });
}

/** Why a flag is stale; none: it is not. Flags of operations and permissions are meant to stay, at whatever share. */
export function staleReasons(facts: FlagFacts, rule: Required<Omit<StaleRule, "reason">>, now: EpochMs): StaleReason[] {
  const { flag, full, seenAt, askedAt, watchedSince } = facts;
  const isRecent = (at: EpochMs, days: number): boolean => now - at < days * DAY_MS;
  const reason = (code: StaleReasonCode, since: EpochMs, environment?: string): StaleReason => ({
    code,
    since: new Date(since).toISOString(),
    ...(environment === undefined ? {} : { environment }),
  });
  if (flag.archived) {
    return askedAt !== undefined && isRecent(askedAt, rule.unseenDays) ? [reason("asked-for", askedAt)] : [];
  }
  const reasons: StaleReason[] = [];
  if (flag.kind === "release" || flag.kind === "experiment") {
    for (const { environment, since } of full) {
      if (!isRecent(since, rule.fullDays)) reasons.push(reason("full", since, environment));
    }
  }
  // A day that is not over yet is one on which it was seen: a day is added to its start.
  const lastSeen = seenAt === undefined ? Math.max(watchedSince, Date.parse(flag.createdAt)) : seenAt + DAY_MS;
  if (!isRecent(lastSeen, rule.unseenDays)) reasons.push(reason("unseen", lastSeen));
  const { expectedLifetimeDays: days, createdAt } = flag;
  const endsAt = Date.parse(createdAt) + (days ?? 0) * DAY_MS;
  if (flag.kind === "release" && days !== undefined && endsAt <= now) reasons.push(reason("overdue", endsAt));
  return reasons;
}

/** The variant that everybody gets; `undefined` where it depends, or is what the flag serves when it is off. */
export function fullVariant(targeting: Targeting): VariantName | undefined {
  const { enabled, prerequisites = [], rules, fallthrough, off } = targeting;
  const [first] = rules;
  if (!enabled || prerequisites.length > 0 || first?.when !== undefined) return undefined;
  const serve = first === undefined ? fallthrough : first.serve;
  const rollout = rolloutState(targeting);
  const isWhole = rules.length === 1 && rollout?.percentage === 100;
  const served = serve !== undefined && "variant" in serve ? serve.variant : isWhole ? rollout?.variant : undefined;
  return served === off ? undefined : served;
}

/** Writes down why a flag is stale, or that it no longer is; told when a reason is new, and once. */
export function markStale(project: ProjectState, key: FlagKey, reasons: readonly StaleReason[]): Decision<undefined> {
  const before = project.stale.get(key)?.body.reasons ?? [];
  const known = new Set(before.map(nameOf));
  if (known.size === reasons.length && reasons.every((reason) => known.has(nameOf(reason)))) {
    return { kind: "unchanged", answer: undefined, revision: project.revision };
  }
  const isNews = reasons.some((reason) => !known.has(nameOf(reason)));
  const body: StaleDocument | undefined = reasons.length === 0 ? undefined : { reasons };
  const edit: Edit<undefined> = {
    kind: "edit",
    action: isNews ? "flag.stale" : "flag.fresh",
    stream: { project: project.key },
    target: { kind: "flag", key },
    raises: [projectStream(project)],
    documents: [{ kind: "stale", project: project.key, key, ...(body === undefined ? {} : { body: asJson(body) }) }],
    before: asJson(before),
    after: asJson(reasons),
    answer: undefined,
    revision: project.revision + 1,
  };
  return edit;
}

const nameOf = ({ code, environment = "" }: StaleReason): string => `${code} ${environment}`;
