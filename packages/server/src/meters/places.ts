/** Names a place in labels. */
export interface PlaceLabels {
  readonly project: string;
  readonly environment: string;
}

/** What stands for every place beyond the bound; no key may hold brackets. */
const OTHER: PlaceLabels = { project: "(other)", environment: "(other)" };

/**
 * Labels of environments, at most `max` told apart for as long as the server runs: projects are made through the API, and
 * whoever may make them must not be able to fill the scraper's disk.
 */
export class Places {
  readonly #known = new Map<string, PlaceLabels>();
  readonly #max: number;

  constructor(max = 50) {
    this.#max = max;
  }

  labels(project: string, environment = ""): PlaceLabels {
    const name = `${project}/${environment}`;
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    if (this.#known.size >= this.#max) return OTHER;
    const labels = { project, environment };
    this.#known.set(name, labels);
    return labels;
  }
}
