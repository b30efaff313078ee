/** Bundles what browsers load into a folder, minified. */
export function bundle(options: {
  readonly input: string | Record<string, string>;
  readonly dir: string;
  readonly isWhole?: boolean;
}): Promise<void>;

/** Writes every door of the package into a folder, as it is published. */
export function bundleDoors(dir: string): Promise<void>;
