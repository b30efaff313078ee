/*
 * Where several servers share a change log, the file of an import lies on the disk of the one that took it. What an import is and
 * how it ended is in the log, so that each server can say it, and none takes a file that another one has.
 */
import type { Origin } from "../control/command.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { ProblemError } from "../http/problem.ts";
import type { ChangeLog, StoredChange } from "../store/changes/index.ts";
import { withLease } from "../store/changes/lease.ts";
import { IMPORT_TARGET, type ImportPlace, noteImport, type ToldOfImport } from "./domain.ts";
import type { ImportRecord } from "./import-record.ts";

export interface ImportLogOptions {
  readonly log: Pick<ChangeLog, "changes" | "takeLease" | "releaseLease">;
  readonly control: Pick<ControlPlane, "execute" | "workspace">;
  readonly now: () => number;
  /** Tells this process from all others. */
  readonly holder: string;
}

/** An import as the log has it. Until its end is told it is `elsewhere`: how far it is, only the server that reads it knows. */
export type ToldImport = ImportRecord & ImportPlace;

export class ImportLog {
  readonly #options: ImportLogOptions;

  constructor(options: ImportLogOptions) {
    this.#options = options;
  }

  /** Notes how an import ended. One whose project is gone has nobody to tell. @throws `store_unavailable`. */
  async tell(record: ImportRecord, place: ImportPlace): Promise<void> {
    const { control } = this.#options;
    const project = control.workspace.projects.get(record.project);
    if (project === undefined) return;
    await control.execute({ origin: ORIGIN, decide: () => noteImport(project, "events.import.end", record, place) });
  }

  /** The imports of a project, the newest first: those of its last `TOLD_MAX` notes. */
  async list(project: string): Promise<readonly ToldImport[]> {
    return latestOf(await this.#options.log.changes({ project, targetKind: IMPORT_TARGET }, TOLD_MAX));
  }

  async find(project: string, id: string): Promise<ToldImport | undefined> {
    const [told] = latestOf(await this.#options.log.changes({ project, targetKind: IMPORT_TARGET, targetKey: id }, 1));
    return told;
  }

  /** Runs `work` while no other server takes the same file. */
  alone<T>(id: string, work: () => Promise<T>): Promise<T> {
    const { log, holder, now } = this.#options;
    return withLease(log, `import-${id}`, { holder, now }, work);
  }
}

const ORIGIN: Origin = { actor: { id: "system", name: "Belay" }, requestId: "imports" };
const TOLD_MAX = 1_000;

/** @throws `import_elsewhere`, with the name of the server that has its file. */
export function refuseElsewhere({ id, server }: { readonly id: string; readonly server?: string }): never {
  throw new ProblemError("import_elsewhere", { key: id, ...(server === undefined ? {} : { server }) });
}

/** What the newest change says of each import. */
function latestOf(newestFirst: readonly StoredChange[]): ToldImport[] {
  const told = new Map<string, ToldImport>();
  for (const { target, project = "", after } of newestFirst) {
    if (told.has(target.key) || after === undefined) continue;
    // Written by `noteImport`.
    const { isEnded, ...of } = after as unknown as ToldOfImport;
    const record = { ...UNREAD, ...of, id: target.key, project };
    told.set(target.key, isEnded ? record : { ...record, state: "elsewhere" });
  }
  return [...told.values()];
}

const UNREAD = { through: 0, rejectedKept: 0, rejectedBytes: 0 };
