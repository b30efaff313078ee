import type { EvaluationErrorCode, Json, Reason, Snapshot } from "@belay/protocol";

/** An outcome in the form of the vectors: absent fields are left out. */
export interface ReferenceOutcome {
  readonly value?: Json;
  readonly variant?: string;
  readonly reason: Reason;
  readonly ruleId?: string;
  readonly errorCode?: EvaluationErrorCode;
  readonly tracks?: { readonly experiment?: string; readonly release?: string; readonly epoch: number; readonly unit?: string };
}

export function hash(text: string, seed?: number): number;
export function point(salt: string, unit: string): number;
export function unitText(value: unknown): string | undefined;
export function holdsTest(test: unknown, context: unknown): boolean | undefined;
export function decide(snapshot: Snapshot, key: string, context: unknown): ReferenceOutcome;
export function decider(snapshot: Snapshot): (key: string, context: unknown) => ReferenceOutcome;
