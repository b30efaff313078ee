/** Bundles what browsers load into a folder, minified. */
export function bundle(options: {
  readonly input: string | Record<string, string>;
  readonly dir: string;
  readonly isWhole?: boolean;
}): Promise<void>;
