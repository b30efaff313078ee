/**
 * Rows of RFC 4180 text: fields between commas, rows between line ends, a field in double quotes may hold both, and a
 * double quote inside it is doubled. The text may come in pieces cut anywhere.
 *
 * @example
 * for (const [name, value] of csvRows(['a,"1', ',5"\r\n'])) console.log(name, value); // a 1,5
 */
export function* csvRows(pieces: Iterable<string>): Generator<string[]> {
  const reader = csvReader();
  for (const piece of pieces) yield* reader.read(piece);
  yield* reader.end();
}

/** Takes text piece by piece and gives the rows that each piece completes. */
export interface CsvReader {
  readonly read: (piece: string) => string[][];
  /** The last row, when the text did not end in a line end. */
  readonly end: () => string[][];
}

/**
 *             ┌── , or line end ──┐
 *             ▼                   │          " first in a field
 *   ──▶ between rows/fields ── plain ────────────────▶ quoted ──── " ───▶ after quote ── " ──▶ quoted (a quote)
 *                                 ▲                                            │
 *                                 └───────────────── anything else ◀───────────┘
 */
export function csvReader(): CsvReader {
  let row: string[] = [];
  let field = "";
  let state: "plain" | "quoted" | "after quote" = "plain";
  let isEmpty = true; // nothing of the row was read yet: a bare line end is no row

  const endField = (): void => {
    row.push(field);
    field = "";
    state = "plain";
  };
  const endRow = (into: string[][]): void => {
    if (isEmpty) return;
    endField();
    into.push(row);
    row = [];
    isEmpty = true;
  };
  const step = (char: string, into: string[][]): void => {
    if (state === "quoted") {
      if (char === '"') state = "after quote";
      else field += char;
    } else if (char === "\n") endRow(into);
    else if (char === "\r")
      return; // part of the line end
    else {
      isEmpty = false;
      if (char === ",") endField();
      else if (char === '"' && state === "after quote") {
        field += '"';
        state = "quoted";
      } else if (char === '"' && field === "") state = "quoted";
      else field += char;
    }
  };

  return {
    read: (piece) => {
      const rows: string[][] = [];
      for (const char of piece) step(char, rows);
      return rows;
    },
    end: () => {
      const rows: string[][] = [];
      endRow(rows);
      return rows;
    },
  };
}
