import type { SqlRow, SqlValue } from "../changes/rows.ts";

/** What the embedded change log needs of an SQLite: six methods, so that the engine under it can be exchanged. */
export interface SqliteDriver {
  /** Runs statements that give nothing back. */
  exec(sql: string): void;
  /** Runs one statement; returns the number of rows it changed. */
  run(sql: string, parameters: readonly SqlValue[]): number;
  /** Inserts one row; returns its rowid. */
  insert(sql: string, parameters: readonly SqlValue[]): number;
  all(sql: string, parameters: readonly SqlValue[]): SqlRow[];
  /** Runs `work` in one write transaction: committed when it returns, rolled back when it throws. */
  transaction<T>(work: () => T): T;
  close(): void;
}

/** The part of a prepared statement that both engines share. */
interface Statement {
  run(...parameters: SqlValue[]): { changes: number | bigint; lastInsertRowid: number | bigint };
  all(...parameters: SqlValue[]): unknown[];
}

interface Engine {
  exec(sql: string): unknown;
  prepare(sql: string): Statement;
  close(): void;
}

/** Opens a database file with the built-in SQLite of newer Nodes, or else with libsql. Same SQL, same file. */
export async function openDriver(file: string, engine?: "node:sqlite" | "libsql"): Promise<SqliteDriver> {
  const database =
    engine === "libsql" ? await openLibsql(file) : ((await openBuiltIn(file, engine !== undefined)) ?? (await openLibsql(file)));
  return adapt(database);
}

/** Does this Node have an SQLite of its own? */
export async function hasBuiltInSqlite(): Promise<boolean> {
  return (await importBuiltIn()) !== undefined;
}

/** What a newer Node exports as `node:sqlite`; Node 20 has no such module and its types do not know it. */
interface BuiltIn {
  readonly DatabaseSync: new (file: string) => Engine;
}

// A name in a variable keeps the compiler and bundlers from resolving a module that this Node may not have.
const BUILT_IN_NAME: string = "node:sqlite";

async function importBuiltIn(): Promise<BuiltIn | undefined> {
  try {
    return (await import(BUILT_IN_NAME)) as BuiltIn;
  } catch {
    return undefined;
  }
}

async function openBuiltIn(file: string, required: boolean): Promise<Engine | undefined> {
  const builtIn = await importBuiltIn();
  if (builtIn === undefined && required) throw new Error("this Node has no node:sqlite");
  return builtIn === undefined ? undefined : new builtIn.DatabaseSync(file);
}

async function openLibsql(file: string): Promise<Engine> {
  const { default: Database } = await import("libsql");
  return new Database(file) as Engine;
}

function adapt(engine: Engine): SqliteDriver {
  // Statements are few and fixed: each is prepared once and kept.
  const statements = new Map<string, Statement>();
  const prepared = (sql: string): Statement => {
    let statement = statements.get(sql);
    if (statement === undefined) {
      statement = engine.prepare(sql);
      statements.set(sql, statement);
    }
    return statement;
  };
  return {
    exec: (sql) => void engine.exec(sql),
    run: (sql, parameters) => Number(prepared(sql).run(...parameters).changes),
    insert: (sql, parameters) => Number(prepared(sql).run(...parameters).lastInsertRowid),
    all: (sql, parameters) => prepared(sql).all(...parameters) as SqlRow[],
    transaction: (work) => {
      engine.exec("begin immediate");
      try {
        const result = work();
        engine.exec("commit");
        return result;
      } catch (error) {
        rollBack(engine);
        throw error;
      }
    },
    close: () => engine.close(),
  };
}

function rollBack(engine: Engine): void {
  try {
    engine.exec("rollback");
  } catch {
    // A full disk can end the transaction by itself; the error that led here is the one to tell.
  }
}
