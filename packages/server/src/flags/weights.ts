import { percentFromPpm, ppmFromPercent } from "@belay/core";
import {
  type Draw,
  type Part,
  type Ppm,
  type Serve,
  type ServeDraft,
  SPACE_PPM,
  type VariantName,
  type Weighted,
} from "@belay/protocol";
import { type Refusal, refuse } from "../control/decision.ts";

/** Names of a flag's own spaces. */
export const SHARE_SPACE = "share";
export const SPLIT_SPACE = "split";

/** The draw of everybody below a share of the flag's own share space. */
export function shareDraw(ppm: Ppm): Draw {
  return { space: SHARE_SPACE, in: range(0, ppm) };
}

/** One half-open range, or no range at all where it would be empty. */
export function range(from: Ppm, to: Ppm): Draw["in"] {
  return from < to ? [[from, to]] : [];
}

/**
 * A serve as it is kept: weights become parts over the flag's split space, inside its share.
 *
 * Parts lie in the order of the variants' names, not in the order they were written: the same weights always mean the
 * same ranges, so that sending them again moves nobody.
 *
 * @param field path of the serve, for refusals.
 */
export function normaliseServe(draft: ServeDraft, variants: readonly VariantName[], field: string): Serve | Refusal {
  return "weights" in draft ? partsOf(draft, variants, field) : draft;
}

function partsOf({ weights, share, tracks }: Weighted, variants: readonly VariantName[], field: string): Serve | Refusal {
  const names = Object.keys(weights).sort();
  const unknown = names.find((name) => !variants.includes(name));
  if (unknown !== undefined) {
    return refuse("unknown_variant", { field: `${field}.weights.${unknown}`, received: unknown, allowed: [...variants] });
  }
  const shares = names.map((name) => ppmFromPercent(weights[name] as number));
  const inexact = shares.indexOf(undefined);
  if (inexact !== -1) {
    const name = names[inexact] as string;
    return refuse("invalid_percentage", { field: `${field}.weights.${name}`, received: weights[name] });
  }
  const sumPpm = (shares as Ppm[]).reduce((sum, ppm) => sum + ppm, 0);
  if (sumPpm !== SPACE_PPM) return refuse("invalid_weights", { field: `${field}.weights`, sum: percentFromPpm(sumPpm) });
  const sharePpm = share === undefined ? undefined : ppmFromPercent(share);
  if (share !== undefined && sharePpm === undefined) {
    return refuse("invalid_percentage", { field: `${field}.share`, received: share });
  }
  const outer = sharePpm === undefined ? [] : [shareDraw(sharePpm)];
  return {
    split: stack(names, shares as Ppm[], outer).map((part) => ({ ...part, ...(tracks === undefined ? {} : { tracks }) })),
  };
}

/** Parts side by side from 0; a variant of no weight gets no part. */
function stack(names: readonly VariantName[], shares: readonly Ppm[], outer: readonly Draw[]): Part[] {
  let from = 0;
  const parts: Part[] = [];
  for (const [index, variant] of names.entries()) {
    const to = from + (shares[index] ?? 0);
    if (to > from) parts.push({ variant, draws: [...outer, { space: SPLIT_SPACE, in: range(from, to) }] });
    from = to;
  }
  return parts;
}
