import type { Receipt } from "@belay/protocol";
import type { SdkIdentity } from "../access/identity.ts";
import { ProblemError } from "../http/problem.ts";
import type { FeedSource } from "../snapshots/feeds.ts";
import { EMPTY_WORKSPACE } from "../state/amend.ts";
import type { PlacedSdkKey, TokenDocument, Workspace } from "../state/workspace.ts";
import type { EventStore, IncomingBatch } from "../store/events/index.ts";
import { Branch, type BranchOptions } from "./branch.ts";
import type { BriefSource } from "./briefs.ts";

type Place = Pick<SdkIdentity, "project" | "environment">;

export interface BranchesOptions extends Omit<BranchOptions, "key" | "directory" | "onBrief" | "onRevision" | "onFault"> {
  /** Keys of kind `relay`, each with the folder of its environment. */
  readonly keys: readonly { readonly id: string; readonly key: string; readonly directory: string }[];
  /** The token that may read this relay's meters; absent: nobody's. */
  readonly token?: TokenDocument;
  readonly onFault: (detail: string, place: Place | undefined) => void;
}

const SENDER = "relay/0.1.0";
const REPEAT_MS = 60_000;

/** All environments a relay serves, and what their keys open. */
export class Branches {
  readonly #options: BranchesOptions;
  readonly #branches = new Map<string, Branch>();
  readonly #revoked: ((keyId: string) => void)[] = [];
  readonly #repeat: NodeJS.Timeout;
  #workspace: Workspace;

  private constructor(options: BranchesOptions) {
    this.#options = options;
    const { token } = options;
    const tokens: Workspace["tokens"] = new Map(token === undefined ? [] : [["first", { body: token, revision: 0 }]]);
    this.#workspace = { ...EMPTY_WORKSPACE, tokens };
    this.#repeat = setInterval(() => {
      for (const branch of this.#branches.values()) this.#noteOwn(branch);
    }, REPEAT_MS).unref();
  }

  /** Opens what the folders hold and begins to follow. Nothing of the upstream need be there. */
  static async open(options: BranchesOptions): Promise<Branches> {
    const branches = new Branches(options);
    const { keys, ...common } = options;
    try {
      for (const { id, key, directory } of keys) {
        const branch: Branch = await Branch.open({
          ...common,
          key,
          directory,
          onBrief: () => branches.#takeKeys(),
          onRevision: () => branches.#noteOwn(branches.#branches.get(id)),
          onFault: (detail) => options.onFault(detail, branches.#placeOf(id)),
        });
        branches.#branches.set(id, branch);
        branches.#takeKeys();
        branches.#noteOwn(branch);
      }
      return branches;
    } catch (error) {
      await branches.close();
      throw error;
    }
  }

  /** For the log: a brief holds hashes of keys besides. */
  #placeOf(id: string): Place | undefined {
    const { project, environment } = this.#branches.get(id)?.followed.brief ?? {};
    return project === undefined || environment === undefined ? undefined : { project, environment };
  }

  /** Who may ask: the keys of all briefs. */
  get workspace(): Workspace {
    return this.#workspace;
  }

  readonly feeds: FeedSource = {
    of: ({ kind, ...place }) => {
      const followed = this.#of(place)?.followed;
      return kind === "client" ? followed?.client : followed?.server;
    },
  };

  readonly briefs: BriefSource = { of: (place) => this.#of(place)?.followed.briefed };

  /** Takes batches into the spool of their environment. */
  readonly events: Pick<EventStore, "append"> = {
    append: (batch: IncomingBatch) => {
      const branch = this.#of(batch);
      if (branch !== undefined) return branch.append(batch);
      return Promise.reject(new ProblemError("environment_not_found", { key: batch.environment }));
    },
  };

  /** Every environment there is a key for, by the id of the key. */
  get all(): ReadonlyMap<string, Branch> {
    return this.#branches;
  }

  /** Why it cannot serve all it was started for; `undefined` where it can. */
  get unready(): string | undefined {
    for (const [id, { followed }] of this.#branches) {
      if (followed.revision > 0) continue;
      return `nothing is known yet of the environment of key ${id}: ${followed.fault ?? "the upstream did not answer yet"}`;
    }
    return undefined;
  }

  note(place: Place, receipt: Receipt, via?: readonly string[]): void {
    this.#of(place)?.receipts.note(receipt, via);
  }

  /** An SDK key was shown here, or to a relay behind this one. */
  noteUse(place: Place, keyId: string): void {
    this.#of(place)?.receipts.noteUse(keyId);
  }

  /** Calls `listener` with every key that is let in no more. */
  onRevoked(listener: (keyId: string) => void): void {
    this.#revoked.push(listener);
  }

  async close(): Promise<void> {
    clearInterval(this.#repeat);
    await Promise.all([...this.#branches.values()].map((branch) => branch.close()));
  }

  #of({ project, environment }: Place): Branch | undefined {
    for (const branch of this.#branches.values()) {
      const { brief } = branch.followed;
      if (brief?.project === project && brief.environment === environment) return branch;
    }
    return undefined;
  }

  /** The relay is an instance too: one that lags behind is seen where the others are. */
  #noteOwn(branch: Branch | undefined): void {
    const revision = branch?.followed.revision ?? 0;
    if (revision > 0) branch?.receipts.noteOwn({ instance: this.#options.relay, sdk: SENDER, revision });
  }

  #takeKeys(): void {
    const before = this.#workspace.sdkKeys;
    const briefs = [...this.#branches.values()].flatMap(({ followed }) => followed.brief ?? []);
    const sdkKeys = new Map(
      briefs.flatMap(({ project, environment, keys }) =>
        keys.map(({ id, kind, hash, previous }): [string, PlacedSdkKey] => {
          const held = { environment, kind, hash, name: "", createdAt: "", revoked: false };
          return [id, { id, project, document: previous === undefined ? held : { ...held, previous } }];
        }),
      ),
    );
    this.#workspace = { ...this.#workspace, sdkKeys };
    for (const id of before.keys()) if (!sdkKeys.has(id)) for (const listener of this.#revoked) listener(id);
  }
}
