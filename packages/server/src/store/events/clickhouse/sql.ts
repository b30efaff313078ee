/*
 * Values as ClickHouse literals. Parameters are no part of the common subset: versions before 19.14 have none. So each value
 * goes through one of these, and a value that has no literal is refused, never guessed.
 */

/**
 * A text literal. Everything that could end it early, in any version, is escaped: quotes, backslashes and control characters,
 * of which NUL ends a whole statement in old ones. A lone surrogate becomes U+FFFD, as in everything stored.
 */
export function text(value: string): string {
  const escaped = value.replace(/[\\'\p{Cc}]/gu, (found) => {
    if (found === "\\" || found === "'") return `\\${found}`;
    return Array.from(Buffer.from(found), (byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
  });
  return `'${escaped}'`;
}

/** A whole number from 0 to 2^53 - 1 as a literal. @throws RangeError for any other. */
export function whole(value: number): string {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is no whole number from 0 to 2^53 - 1`);
  return String(value);
}

/** The name of a database, table or cluster. @throws Error when it holds anything but letters, digits and underscores. */
export function identifier(name: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name)) {
    throw new Error(`"${name}" cannot be the name of a ClickHouse database or cluster: letters, digits and _ only`);
  }
  return `\`${name}\``;
}

/** A list for `in (...)`; of an empty list nothing is any. */
export function anyOf(column: string, values: readonly string[]): string {
  return values.length === 0 ? "0" : `${column} in (${values.map(text).join(", ")})`;
}

/** Received before a moment: seconds and milliseconds are two columns, as there is no finer type in the common subset. */
export function receivedBefore(ms: number): string {
  const at = Math.max(0, Math.ceil(ms));
  const second = whole(Math.floor(at / 1_000));
  return `(toUInt32(received_at) < ${second} or (toUInt32(received_at) = ${second} and received_ms < ${whole(at % 1_000)}))`;
}

/** Received at or after a moment. */
export function receivedSince(ms: number): string {
  return `not ${receivedBefore(ms)}`;
}
