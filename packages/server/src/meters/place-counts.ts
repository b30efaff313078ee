import type { PlaceLabels } from "./places.ts";

/** How many of a kind there are, by place and state; what falls into one series counts together. */
export class PlaceCounts {
  readonly #counts = new Map<string, [PlaceLabels & { readonly state: string }, number]>();

  add(place: PlaceLabels, state: string, by = 1): void {
    const labels = { ...place, state };
    const id = JSON.stringify(labels);
    this.#counts.set(id, [labels, (this.#counts.get(id)?.[1] ?? 0) + by]);
  }

  each(set: (value: number, labels: PlaceLabels & { readonly state: string }) => void): void {
    for (const [labels, value] of this.#counts.values()) set(value, labels);
  }
}
