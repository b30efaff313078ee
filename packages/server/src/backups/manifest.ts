/** What a backup holds, each under this name in the data folder too. */
export type Part = (typeof PARTS)[number];
export const PARTS = ["changes.db", "deliveries.db", "events"] as const;

/** The first file of a backup. */
export const MANIFEST = "backup.json";

export interface Manifest {
  readonly version: 1;
  readonly madeAt: string;
  readonly parts: readonly Part[];
  /** What servers whose events are in it are called among others; absent where they have no names. */
  readonly servers?: readonly string[];
}

/** @throws Error in words, for what is no manifest of a backup that this version can read. */
export function readManifest(text: string): Manifest {
  const manifest = parsed(text);
  if (manifest?.version !== 1) throw new Error("This is no backup of Belay, or one of a newer version.");
  const isKnown = Array.isArray(manifest.parts) && manifest.parts.every((part) => PARTS.includes(part));
  const { servers = [] } = manifest;
  const isNamed = Array.isArray(servers) && servers.every((name) => typeof name === "string");
  if (!isKnown || !isNamed || typeof manifest.madeAt !== "string")
    throw new Error("The backup's list of contents cannot be read.");
  return manifest as Manifest;
}

function parsed(text: string): Partial<Manifest> | null {
  try {
    return JSON.parse(text) as Partial<Manifest> | null;
  } catch {
    return null;
  }
}
