import { type ChildProcess, fork } from "node:child_process";
import { cp, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Aggregate, AggregateRequest, PairCell, PairsRequest } from "../aggregate/request.ts";
import {
  type DocumentOf,
  type DocumentRequest,
  type Engine,
  EngineAway,
  type Extent,
  type LoadableSegment,
  type Page,
  type PageRequest,
  type Press,
} from "../engine.ts";
import type { EventQuery, LedgerLine, LedgerQuery, PrintedSql } from "../event-store.ts";
import type { DuckDbOptions } from "./database.ts";
import type { Answer, Ping, Question } from "./messages.ts";
import { printedSql } from "./printed-sql.ts";

export interface ChildEngineOptions extends DuckDbOptions {
  /** The process is ended when nobody asked for so long: an idle server does without its memory. */
  readonly idleMs: number;
  /**
   * A process that was asked and does not say for so long that it lives is killed, which loses nothing, and another one
   * is started. Default 15 s. Heavy work does not keep it from answering: the database has threads of its own.
   */
  readonly hangMs?: number;
}

/**
 * The DuckDB engine in a process of its own, started at the first question and again after it ended, however it ended.
 * What was asked of a process that ended fails with `EngineAway`.
 */
export class ChildEngine implements Engine, Press {
  readonly #options: ChildEngineOptions;
  #child: Child | undefined;
  #idle: NodeJS.Timeout | undefined;
  /** The process before: it must have let go of the file. */
  #ending: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: ChildEngineOptions) {
    this.#options = options;
  }

  /** Id of the process; absent while there is none. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  load(segments: readonly LoadableSegment[]): Promise<void> {
    return this.#ask("load", segments);
  }

  extent(query: EventQuery): Promise<Extent> {
    return this.#ask("extent", query);
  }

  page(request: PageRequest): Promise<Page> {
    return this.#ask("page", request);
  }

  document(request: DocumentRequest): Promise<Page> {
    return this.#ask("document", request);
  }

  press(request: DocumentOf, lines: Uint8Array): Promise<Uint8Array> {
    return this.#ask("press", request, lines);
  }

  /** Needs no process. */
  print(query: EventQuery, files: string): PrintedSql {
    return printedSql(query, files);
  }

  ledger(query: LedgerQuery): Promise<readonly LedgerLine[]> {
    return this.#ask("ledger", query);
  }

  aggregate(request: AggregateRequest): Promise<Aggregate> {
    return this.#ask("aggregate", request);
  }

  pairs(request: PairsRequest): Promise<readonly PairCell[]> {
    return this.#ask("pairs", request);
  }

  retain(project: string, sinceMs: number): Promise<number> {
    return this.#ask("retain", project, sinceMs);
  }

  erase(project: string, unit: string): Promise<number> {
    return this.#ask("erase", project, unit);
  }

  /** Copies the database while no process has it open; who asks meanwhile waits. */
  async copyTo(directory: string): Promise<void> {
    clearTimeout(this.#idle);
    const child = this.#child;
    this.#child = undefined;
    const copied = this.#ending.then(() => child?.end()).then(() => copyFiles(this.#options.directory, directory));
    this.#ending = copied.catch(() => undefined);
    await copied;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#idle);
    this.#end();
    await this.#ending;
  }

  async #ask<T>(method: Question["method"], ...args: readonly unknown[]): Promise<T> {
    // A further end may have begun while one was awaited.
    for (let ending: Promise<void> | undefined; ending !== this.#ending; await ending) ending = this.#ending;
    if (this.#isClosed) throw new EngineAway("the server is stopping");
    const started = this.#child ?? this.#start();
    clearTimeout(this.#idle);
    try {
      return (await started.ask(method, args)) as T;
    } finally {
      clearTimeout(this.#idle);
      this.#idle = setTimeout(() => this.#end(), this.#options.idleMs).unref();
    }
  }

  #start(): Child {
    const child = new Child(this.#options, () => {
      // One that is ending may have been replaced.
      if (this.#child === child) this.#child = undefined;
    });
    this.#child = child;
    return child;
  }

  #end(): void {
    const child = this.#child;
    if (child === undefined) return;
    if (child.isBusy && !this.#isClosed) return;
    this.#child = undefined;
    this.#ending = child.end();
  }
}

/** The database and what it logged, without pages and spills. One that was never made has nothing to copy. */
async function copyFiles(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o700 });
  const names = await readdir(from).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  for (const name of names.filter((one) => one.startsWith("events.duckdb")))
    await cp(join(from, name), join(to, name), { recursive: true });
}

/** One run of the process. */
class Child {
  readonly #process: ChildProcess;
  readonly #asked = new Map<number, Asked>();
  readonly #gone: Promise<void>;
  readonly #hangMs: number;
  #lastId = 0;
  #failure: string | undefined;
  #watch: NodeJS.Timeout | undefined;
  #heardMs = 0;
  #hasSpoken = false;

  constructor({ directory, spoolDirectory, hangMs = HANG_MS }: ChildEngineOptions, onGone: () => void) {
    this.#hangMs = hangMs;
    this.#process = fork(ENTRY, [directory, spoolDirectory], {
      serialization: "advanced",
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      // None of the server's own: what it was started with may hold secrets.
      env: { TZ: "UTC" },
      execArgv: [],
    });
    this.#process.on("message", (answer: Answer) => this.#take(answer));
    this.#gone = new Promise((resolve) => {
      const gone = (reason: string): void => {
        this.#rest();
        onGone();
        this.#failAll(new EngineAway(this.#failure ?? reason));
        resolve();
      };
      this.#process.once("error", (error) => gone(`the event database could not be started: ${error.message}`));
      this.#process.once("exit", (code, signal) => gone(`the event database ended (${signal ?? code})`));
    });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get isBusy(): boolean {
    return this.#asked.size > 0;
  }

  ask(method: Question["method"], args: readonly unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#lastId += 1;
      const id = this.#lastId;
      this.#asked.set(id, { resolve, reject });
      this.#keepWatch();
      this.#process.send({ id, method, args } satisfies Question, (error) => {
        if (error !== null) this.#settle(id)?.reject(new EngineAway(error.message));
      });
    });
  }

  /** Lets it finish and close the file; a process that does not within `END_MS` is killed, which loses nothing. */
  async end(): Promise<void> {
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), END_MS);
    const closed = this.ask("close", []).catch(() => undefined);
    await Promise.race([closed, this.#gone]);
    if (this.#process.connected) this.#process.disconnect();
    await this.#gone;
    clearTimeout(timer);
  }

  /** While something is asked, asks now and then whether it lives; any answer says so. */
  #keepWatch(): void {
    if (this.#watch !== undefined) return;
    // One that was never heard is starting, which takes as long as the machine is busy.
    this.#heardMs = performance.now() + (this.#hasSpoken ? 0 : STARTING_MS);
    this.#watch = setInterval(() => {
      if (performance.now() - this.#heardMs > this.#hangMs) {
        this.#failure = `the event database did not answer for ${this.#hangMs} ms and was started again`;
        this.#process.kill("SIGKILL");
      } else if (this.#process.connected) this.#process.send({ ping: true } satisfies Ping, () => undefined);
    }, this.#hangMs / 5).unref();
  }

  #rest(): void {
    clearInterval(this.#watch);
    this.#watch = undefined;
  }

  #take(answer: Answer): void {
    this.#hasSpoken = true;
    this.#heardMs = performance.now();
    if ("failed" in answer) this.#failure = `the event database could not be opened: ${answer.failed}`;
    else if ("error" in answer) this.#settle(answer.id)?.reject(new Error(answer.error));
    else if ("value" in answer) this.#settle(answer.id)?.resolve(answer.value);
  }

  #settle(id: number): Asked | undefined {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    if (this.#asked.size === 0) this.#rest();
    return asked;
  }

  #failAll(error: EngineAway): void {
    for (const { reject } of this.#asked.values()) reject(error);
    this.#asked.clear();
  }
}

interface Asked {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

const END_MS = 10_000;
const HANG_MS = 15_000;
const STARTING_MS = 20_000;

/** Node runs no TypeScript: where this file is itself a source, under test, the built one beside it is started. */
const ENTRY = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "../../../../dist/store/events/duckdb/child.js" : "./child.js", import.meta.url),
);
