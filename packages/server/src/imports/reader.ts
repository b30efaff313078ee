import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { ReaderAnswer, ReaderQuestion } from "./messages.ts";
import type { ImportPlan } from "./plan.ts";
import type { RowBatch } from "./reading.ts";

/** Why a file cannot be imported, in words; with a field where the plan does not fit it. */
export class RefusedFile extends Error {
  readonly missing: { readonly field: string; readonly column: string; readonly columns: readonly string[] } | undefined;

  constructor(reason: string, missing?: RefusedFile["missing"]) {
    super(reason);
    this.name = "RefusedFile";
    this.missing = missing;
  }
}

/** A file being read by a process of its own, one question at a time. */
export class Reader {
  readonly #process: ChildProcess;
  readonly #gone: Promise<void>;
  #waiting: { readonly resolve: (answer: ReaderAnswer) => void; readonly reject: (error: Error) => void } | undefined;
  #end: string | undefined;

  private constructor() {
    this.#process = fork(ENTRY, [], {
      serialization: "advanced",
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      // None of the server's own: what it was started with may hold secrets.
      env: { TZ: "UTC" },
      execArgv: [`--max-old-space-size=${HEAP_MB}`],
    });
    this.#process.on("message", (answer: ReaderAnswer) => this.#settle()?.resolve(answer));
    this.#gone = new Promise((resolve) => {
      const gone = (how: string): void => {
        this.#end = `the process that read the file ended (${how})`;
        this.#settle()?.reject(new Error(this.#end));
        resolve();
      };
      this.#process.once("error", (error) => gone(error.message));
      this.#process.once("exit", (code, signal) => gone(String(signal ?? code)));
    });
  }

  /** @throws RefusedFile when it is not what its format says or does not fit the plan. */
  static async open(path: string, plan: ImportPlan): Promise<Reader> {
    const reader = new Reader();
    try {
      await reader.#ask({ open: { path, plan } });
      return reader;
    } catch (error) {
      await reader.close();
      throw error;
    }
  }

  /** Rows of the whole file. @throws RefusedFile when it is broken anywhere. */
  async count(): Promise<number> {
    const answer = await this.#ask({ count: true });
    return "rows" in answer ? answer.rows : 0;
  }

  /** The rows above a number, the next ones being read while the last ones are stored. @throws RefusedFile */
  async *batches(above: number): AsyncGenerator<RowBatch> {
    for (let next = this.#next(above); ; ) {
      const batch = await next;
      if (batch === undefined) return;
      next = this.#next(above);
      // Whoever stops reading never awaits it.
      next.catch(() => undefined);
      yield batch;
    }
  }

  async close(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#gone;
  }

  async #next(above: number): Promise<RowBatch | undefined> {
    const answer = await this.#ask({ next: { above } });
    return "batch" in answer ? answer.batch : undefined;
  }

  async #ask(question: ReaderQuestion): Promise<ReaderAnswer> {
    if (this.#end !== undefined) throw new Error(this.#end);
    const answer = await new Promise<ReaderAnswer>((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#process.send(question, (error) => {
        if (error !== null) this.#settle()?.reject(error);
      });
    });
    if ("unreadable" in answer) throw new RefusedFile(answer.unreadable);
    if ("missing" in answer)
      throw new RefusedFile(`the file has no column ${JSON.stringify(answer.missing.column)}`, answer.missing);
    return answer;
  }

  #settle(): { readonly resolve: (answer: ReaderAnswer) => void; readonly reject: (error: Error) => void } | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting;
  }
}

/** A row is 1 MiB at most and a batch little more: far more than reading takes, and a bound. */
const HEAP_MB = 256;

/** Node runs no TypeScript: where this file is itself a source, under test, the built one beside it is started. */
const ENTRY = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "../../dist/imports/reader-process.js" : "./reader-process.js", import.meta.url),
);
