/* What a process of one sample and its parent say to each other. */
import type { Proof } from "./proof.ts";
import type { Sample } from "./sample.ts";

/** What a contender says of itself once its work is proven. */
export interface Introduction {
  readonly name: string;
  readonly version: string;
  readonly answers: "sync" | "async";
  readonly note?: string;
  readonly tracks?: string;
  readonly proof: Proof;
}

/** What a process answers; the other outcome is that it ends without a word. */
export type Told =
  | { readonly kind: "sample"; readonly sample: Sample }
  | { readonly kind: "introduction"; readonly introduction: Introduction }
  | { readonly kind: "excuse"; readonly reason: string }
  | { readonly kind: "failure"; readonly reason: string };

/** Instead of a scenario's id: prove the work. */
export const PROOF = "proof";

/** Weigh calls that are known to allocate: shows that the scales work. The name makes the young generation large. */
export const CONTROL = "control-bytes";
