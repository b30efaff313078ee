/** A text literal; NUL, which would end the statement, is put in by its code. */
export function text(value: string): string {
  const pieces = value.split("\0").map((piece) => `'${piece.replaceAll("'", "''")}'`);
  return pieces.length === 1 ? (pieces[0] ?? "''") : `(${pieces.join(" || chr(0) || ")})`;
}

/** A moment in UTC as a literal; the number is whole by then. */
export function moment(ms: number): string {
  return `make_timestamp_ms(${Math.trunc(ms)})`;
}

/** A condition with the values its `?` stand for: what people write never becomes SQL. */
export interface Where {
  readonly sql: string;
  readonly values: readonly string[];
}
