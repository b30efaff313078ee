/** The text of each vector file by its name. */
export function vectorFiles(): Readonly<Record<string, string>>;
