import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { text } from "../../store/events/duckdb/sql.ts";
import { type FileOptions, type FileRow, type FileRows, UnreadableFile } from "./file-rows.ts";

/** Opens a Parquet file with a database in memory that reaches this one file. */
export async function openParquet(options: FileOptions): Promise<FileRows> {
  const { path, wanted } = options;
  const instance = await DuckDBInstance.create(":memory:", SETTINGS);
  const connection = await instance.connect();
  await connection.run(`set allowed_paths = [${text(path)}]`);
  await connection.run("set enable_external_access = false");
  await connection.run("set lock_configuration = true");
  const close = (): void => {
    connection.closeSync();
    instance.closeSync();
  };
  try {
    const types = await typesOf(connection, path);
    const columns = [...types.keys()];
    const read = columns
      .filter((column) => wanted.includes(column))
      .map((name) => ({ name, sql: sourceOf(name, types, options) }));
    return { columns, rows: (above) => rowsOf(connection, path, read, above), close };
  } catch (error) {
    close();
    throw error instanceof UnreadableFile ? error : unreadable(error);
  }
}

/** One thread keeps the rows in order and the memory at that of a few row groups. */
const SETTINGS: Record<string, string> = {
  threads: "1",
  memory_limit: "512MiB",
  autoinstall_known_extensions: "false",
  autoload_known_extensions: "false",
};

async function typesOf(connection: DuckDBConnection, path: string): Promise<ReadonlyMap<string, string>> {
  const described = await connection.runAndReadAll(`describe select * from read_parquet(${text(path)})`);
  return new Map(described.getRows().map(([name, type]) => [String(name), String(type)]));
}

/** A column as SQL. `TIMESTAMP` is a clock on some wall; `TIMESTAMP WITH TIME ZONE` a moment. */
function sourceOf(
  column: string,
  types: ReadonlyMap<string, string>,
  { timeColumn, zoneMinutes }: Pick<FileOptions, "timeColumn" | "zoneMinutes">,
): string {
  const quoted = `"${column.replaceAll('"', '""')}"`;
  if (column !== timeColumn || !/^TIMESTAMP(_\w+)?$/.test(types.get(column) ?? "")) return quoted;
  if (zoneMinutes !== undefined) return `${quoted}::TIMESTAMP - to_minutes(${zoneMinutes})`;
  throw new UnreadableFile(`the times in ${JSON.stringify(column)} have no zone; say with \`zone\` which one is meant`);
}

async function* rowsOf(
  connection: DuckDBConnection,
  path: string,
  columns: readonly { readonly name: string; readonly sql: string }[],
  above: number,
): AsyncGenerator<FileRow> {
  const places = new Map(columns.map(({ name }, index) => [name, index + 1]));
  const list = ["file_row_number + 1", ...columns.map(({ sql }) => sql)].join(", ");
  let number = above;
  try {
    const result = await connection.stream(
      `select ${list} from read_parquet(${text(path)}, file_row_number = true) where file_row_number >= ${above}`,
    );
    for await (const rows of result.yieldRowsJs()) {
      for (const values of rows) {
        number = Number(values[0]);
        yield { number, cells: (column) => values[places.get(column) ?? -1] };
      }
    }
  } catch (error) {
    throw unreadable(error, number + 1);
  }
}

/** DuckDB's own words, without the path, which is ours. */
function unreadable(error: unknown, row?: number): UnreadableFile {
  const [first = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
  const reason = first.replace(/'?"?(\/[^\s'":]+)+"?'?/g, "the file").slice(0, 200);
  return new UnreadableFile(`it is no whole Parquet file: ${reason}`, row === undefined ? {} : { row });
}
