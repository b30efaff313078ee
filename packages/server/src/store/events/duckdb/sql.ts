/** A text literal. */
export function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
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
