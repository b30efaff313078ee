/*
 * The work every contender does, in words of no vendor: which flags there are and who asks. Each adapter says it in
 * its own SDK's format, and proves that it came out the same.
 */

/** Serves `true` to `percent` of the units, by their id. */
export interface RolloutWork {
  readonly kind: "rollout";
  readonly key: string;
  readonly percent: number;
}

/** Three conditions that must all hold, then a rollout. */
export interface TargetedWork {
  readonly kind: "targeted";
  readonly key: string;
  readonly countries: readonly string[];
  /** The version is this one or a later one, as SemVer orders them. */
  readonly versionFrom: string;
  readonly emailEnd: string;
  readonly percent: number;
}

/** Variants `control`, `first` and `second` in thirds of everybody; the value is the variant's name. */
export interface ExperimentWork {
  readonly kind: "experiment";
  readonly key: string;
}

/** Several rules: who comes from one of the countries is in a rollout of the rule's own. */
export interface RuledWork {
  readonly kind: "ruled";
  readonly key: string;
  readonly rules: readonly { readonly countries: readonly string[]; readonly percent: number }[];
}

export type FlagWork = RolloutWork | TargetedWork | ExperimentWork | RuledWork;

/** Who asks. Attributes are in the context only where the scenario reads them. */
export interface User {
  readonly id: string;
  readonly attributes?: { readonly country: string; readonly version: string; readonly email: string };
}

export const VARIANTS: readonly string[] = ["control", "first", "second"];

export const ROLLOUT: RolloutWork = { kind: "rollout", key: "rollout", percent: 50 };

export const TARGETED: TargetedWork = {
  kind: "targeted",
  key: "targeted",
  countries: ["DE", "AT", "CH", "FR", "NL"],
  versionFrom: "2.3.0",
  emailEnd: "@example.com",
  percent: 20,
};

export const EXPERIMENT: ExperimentWork = { kind: "experiment", key: "experiment" };

/** A key that no flag has. */
export const UNKNOWN_KEY = "no-such-flag";

/** What an application holds when one call is timed: the three flags of S1 to S3. */
export const FEW_FLAGS: readonly FlagWork[] = [ROLLOUT, TARGETED, EXPERIMENT];

/** Users a pass asks for. */
export const USERS = 10_000;

export const IDS: readonly string[] = Array.from({ length: USERS }, (_, index) => `user-${100_000 + index}`);

/** So many 50 % rollouts, each with its own randomness. */
export function rollouts(count: number): RolloutWork[] {
  return Array.from({ length: count }, (_, index) => ({ kind: "rollout", key: `flag-${index}`, percent: 50 }));
}

/** So many flags of five rules. */
export function ruledFlags(count: number): RuledWork[] {
  return Array.from({ length: count }, (_, index) => ({ kind: "ruled", key: `flag-${index}`, rules: fiveRules(index) }));
}

function fiveRules(flag: number): RuledWork["rules"] {
  return [0, 1, 2, 3, 4].map((rule) => ({
    countries: [country(flag + rule), country(flag + rule + 7), country(flag + rule + 13)],
    percent: 10 + 5 * ((flag + rule) % 16),
  }));
}

/** Where users come from. */
export const COUNTRIES: readonly string[] =
  "DE AT CH FR NL BE LU IT ES PT PL CZ SK HU RO BG GR HR SI EE LV LT FI SE DK NO IE GB US CA".split(" ");

function country(index: number): string {
  return COUNTRIES[index % COUNTRIES.length] as string;
}

/** The user of S1, S3, S4 and S5: an id. */
export function plainUser(id: string): User {
  return { id };
}

/** The user of S2: every condition of `TARGETED` holds. */
export function matchingUser(id: string): User {
  return { id, attributes: { country: "CH", version: "2.10.3", email: EMAILS.get(id) ?? `${id}@example.com` } };
}

/**
 * Texts as they come off a wire, in one piece: one joined here would be put together by whoever reads it first, and the
 * memory for that charged to the SDK.
 */
const EMAILS: ReadonlyMap<string, string> = new Map(IDS.map((id) => [id, JSON.parse(JSON.stringify(`${id}@example.com`))]));
