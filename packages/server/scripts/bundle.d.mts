/** The bundled server's program. */
export const BUNDLED_MAIN: string;

/** A file of the bundle. */
interface BundledFile {
  readonly fileName: string;
  /** What it loads at once, by name: files of the bundle, parts of Node, packages. */
  readonly imports: readonly string[];
  /** Paths of the files it is made of. */
  readonly moduleIds: readonly string[];
  readonly modules: Readonly<Record<string, { readonly code: string | null }>>;
}

/** Is the bundle there, and made of what the compiler wrote last? Absent: the server's own. */
export function isBundled(where?: { readonly main?: string; readonly sources?: readonly string[] }): boolean;

/** Bundles what the compiler wrote into `dist/bundled`; resolves with the files written. */
export function bundleServer(): Promise<readonly BundledFile[]>;
