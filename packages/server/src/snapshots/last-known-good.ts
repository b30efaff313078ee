import { createHash } from "node:crypto";
import { mkdir, open, readdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { isSnapshot } from "@belay/core";
import type { FlagKey, SdkKeyKind, Snapshot } from "@belay/protocol";
import type { ControlPlane } from "../control/control-plane.ts";
import type { PlacedSdkKey, Workspace } from "../state/workspace.ts";

/**
 * All that serving one environment to its SDKs takes, in one file: a node whose database is away can start from it. Keys
 * are hashes here as everywhere.
 */
export interface LastKnownGood {
  readonly format: 1;
  readonly snapshot: Snapshot;
  /** Flags that browsers may see. */
  readonly clientFlags: readonly FlagKey[];
  readonly sdkKeys: readonly { readonly id: string; readonly kind: SdkKeyKind; readonly hash: string }[];
}

/** Writes the file whole or not at all: a crash leaves the one before. */
export async function saveLastKnownGood(directory: string, content: LastKnownGood): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, fileName(content.snapshot));
  const temporary = `${path}.${process.pid}.tmp`;
  const file = await open(temporary, "w", 0o600);
  try {
    await file.writeFile(JSON.stringify(content));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await syncDirectory(directory);
}

/** Every environment's file that can be read; one that is cut or of another format is passed over. */
export async function readLastKnownGood(directory: string): Promise<LastKnownGood[]> {
  const names = await readdir(directory).catch(() => []);
  const read = await Promise.all(names.filter((name) => name.endsWith(".json")).map((name) => readOne(join(directory, name))));
  return read.filter((content) => content !== undefined);
}

/** Keeps the files near the live state: each written at most once per `delayMs`, off the way of requests. */
export class LastKnownGoodKeeper {
  readonly #directory: string;
  readonly #control: ControlPlane;
  readonly #delayMs: number;
  readonly #onFault: (error: unknown) => void;
  /** Environments whose file is behind, by project. */
  readonly #stale = new Map<string, Set<string>>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(control: ControlPlane, options: { directory: string; delayMs?: number; onFault: (error: unknown) => void }) {
    this.#control = control;
    this.#directory = options.directory;
    this.#delayMs = options.delayMs ?? 5_000;
    this.#onFault = options.onFault;
    for (const { key } of control.workspace.projects.values()) this.#markAll(key);
    control.onCommit((_, { raises }) => {
      for (const { project, environment } of raises) {
        if (project === undefined) continue;
        if (environment === undefined) this.#markAll(project);
        else this.#mark(project, environment);
      }
    });
  }

  /** Writes what is still to be written. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#write();
  }

  /** The project's keys or its flags' visibility may have changed. */
  #markAll(project: string): void {
    for (const environment of this.#control.workspace.projects.get(project)?.environments.keys() ?? []) {
      this.#mark(project, environment);
    }
  }

  #mark(project: string, environment: string): void {
    const environments = this.#stale.get(project) ?? new Set();
    this.#stale.set(project, environments.add(environment));
    this.#timer ??= setTimeout(() => void this.#write(), this.#delayMs).unref();
  }

  #write(): Promise<void> {
    this.#timer = undefined;
    const stale = [...this.#stale].flatMap(([project, environments]) => [...environments].map((key) => [project, key] as const));
    this.#stale.clear();
    // One after another: two writes of one file would share their temporary one.
    this.#writing = this.#writing.then(async () => {
      for (const [project, environment] of stale) {
        const content = contentOf(this.#control.workspace, project, environment);
        if (content !== undefined) await saveLastKnownGood(this.#directory, content).catch(this.#onFault);
      }
    });
    return this.#writing;
  }
}

function contentOf({ projects, sdkKeys }: Workspace, projectKey: string, environmentKey: string): LastKnownGood | undefined {
  const project = projects.get(projectKey);
  const environment = project?.environments.get(environmentKey);
  if (project === undefined || environment === undefined) return undefined;
  const isLive = (placed: PlacedSdkKey): boolean =>
    placed.project === projectKey && placed.document.environment === environmentKey && !placed.document.revoked;
  return {
    format: 1,
    snapshot: environment.snapshot.whole,
    clientFlags: [...project.flags].filter(([, { body }]) => body.clientSide).map(([flag]) => flag),
    sdkKeys: [...sdkKeys.values()].filter(isLive).map(({ id, document: { kind, hash } }) => ({ id, kind, hash })),
  };
}

async function readOne(path: string): Promise<LastKnownGood | undefined> {
  try {
    const content = JSON.parse(await readFile(path, "utf8")) as Partial<LastKnownGood>;
    const isWhole = content.format === 1 && isSnapshot(content.snapshot) && Array.isArray(content.sdkKeys);
    return isWhole ? (content as LastKnownGood) : undefined;
  } catch {
    return undefined;
  }
}

/** Keys may be `..` or too long for a file name; a hash of both is neither. */
function fileName({ project, environment }: Snapshot): string {
  return `${createHash("sha256")
    .update(JSON.stringify([project, environment]))
    .digest("hex")
    .slice(0, 32)}.json`;
}

/** Without this a power cut could forget the new name. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
