import type { UseBook } from "../access/use-book.ts";
import type { Workspace } from "../state/workspace.ts";
import type { IncomingBatch } from "../store/events/index.ts";

/** Notes in the book which flags SDKs decide, and which they ask for though there is none: a day each, from their counts. */
export class FlagUses {
  readonly #workspace: () => Workspace;
  readonly #book: UseBook;

  constructor(workspace: () => Workspace, book: UseBook) {
    this.#workspace = workspace;
    this.#book = book;
  }

  take({ project, counts }: Pick<IncomingBatch, "project" | "counts">): void {
    const flags = this.#workspace().projects.get(project)?.flags;
    for (const { flag, variant } of counts) {
      const isLive = flags?.get(flag)?.body.archived === false;
      // What was decided before its flag was archived may arrive after it, and has a variant.
      if (isLive) this.#book.note("flag", idOf(project, flag));
      else if (variant === undefined) this.#book.note("absent-flag", idOf(project, flag));
    }
  }

  seenAt(project: string, flag: string): number | undefined {
    return this.#book.lastAt("flag", idOf(project, flag));
  }

  askedAt(project: string, flag: string): number | undefined {
    return this.#book.lastAt("absent-flag", idOf(project, flag));
  }

  get watchedSince(): number {
    return this.#book.since;
  }
}

/** Keys hold no space. */
const idOf = (project: string, flag: string): string => `${project} ${flag}`;
