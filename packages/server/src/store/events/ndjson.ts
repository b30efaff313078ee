/** Rows of a pull in NDJSON, whatever way its lines are cut into pages. */
export async function* rowsOf<T>(pages: AsyncIterable<Uint8Array>): AsyncGenerator<T> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const page of pages) {
    const lines = (rest + decoder.decode(page, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield JSON.parse(line) as T;
  }
  if (rest !== "") yield JSON.parse(rest) as T;
}
