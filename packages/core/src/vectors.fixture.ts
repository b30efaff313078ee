/** The vectors as the tests read them, and core's answers in their form. */
import { readFileSync } from "node:fs";
import type { EvaluationContext, Json, Snapshot, SnapshotFlag, Test } from "@belay/protocol";
import { RE2JS } from "re2js";
import type { ReferenceOutcome } from "../../../vectors/reference.mjs";
import type { CompileOptions } from "./definitions.ts";
import type { Ruleset } from "./ruleset.ts";

export interface EvaluationVector {
  readonly scenario: string;
  readonly flag: string;
  readonly context: EvaluationContext;
  readonly result: ReferenceOutcome;
}

export interface Vectors {
  readonly "hash.json": readonly { readonly text: string; readonly seed?: number; readonly hash: number }[];
  readonly "point.json": readonly {
    readonly salt: string;
    readonly unit: Json;
    readonly text?: string;
    readonly point?: number;
  }[];
  readonly "operators.json": readonly {
    readonly test: Test;
    readonly context: EvaluationContext;
    readonly matches?: boolean;
    readonly malformed?: true;
  }[];
  readonly "evaluations.json": {
    readonly snapshots: { readonly [scenario: string]: Snapshot };
    readonly cases: readonly EvaluationVector[];
  };
}

export const VECTOR_FILES: readonly (keyof Vectors)[] = ["hash.json", "point.json", "operators.json", "evaluations.json"];

/** The text of a file of vectors. */
export function vectorText(name: keyof Vectors): string {
  return readFileSync(new URL(`../../../vectors/${name}`, import.meta.url), "utf8");
}

export function vectors<Name extends keyof Vectors>(name: Name): Vectors[Name] {
  return JSON.parse(vectorText(name)) as Vectors[Name];
}

/** A flag that is `true` where a test holds, as the vectors of operators are asked. */
export function flagAsking(test: Test): SnapshotFlag {
  return {
    type: "boolean",
    variants: { yes: true, no: false },
    enabled: true,
    rules: [{ id: "r", when: test, serve: { variant: "yes" } }],
    fallthrough: { variant: "no" },
  };
}

/** What the vectors are compiled with: a pattern engine, and no imported bucketing. */
export const OPTIONS: CompileOptions = { regex: (pattern) => RE2JS.compile(pattern) };

/** Core's outcome in the form of the vectors. */
export function answer(ruleset: Ruleset, flag: string, context: EvaluationContext): ReferenceOutcome {
  const { value, variant, reason, ruleId, errorCode, tracks } = ruleset.decide(flag, context);
  const unit = tracks?.unit(context);
  return {
    ...(value === undefined ? {} : { value }),
    ...(variant === undefined ? {} : { variant }),
    reason,
    ...(ruleId === undefined ? {} : { ruleId }),
    ...(errorCode === undefined ? {} : { errorCode }),
    ...(tracks === undefined
      ? {}
      : {
          tracks: {
            ...(tracks.experiment === undefined ? { release: tracks.release ?? "" } : { experiment: tracks.experiment }),
            epoch: tracks.epoch,
            ...(unit === undefined ? {} : { unit }),
          },
        }),
  };
}

/** A snapshot of one environment with the given content. */
export function snapshotOf(content: Partial<Pick<Snapshot, "flags" | "segments" | "spaces" | "revision">>): Snapshot {
  return { format: 1, project: "p", environment: "e", revision: 1, spaces: {}, segments: {}, flags: {}, ...content };
}
