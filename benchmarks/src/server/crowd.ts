import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/** What a crowd's process is told. */
export type CrowdOrder =
  | { readonly kind: "open"; readonly port: number; readonly count: number; readonly head: string }
  | { readonly kind: "listen" }
  | { readonly kind: "reconnect" }
  | { readonly kind: "back" }
  | { readonly kind: "close" };

/** What it answers; times are in ms of the wall clock, so that processes can be compared. */
export type CrowdReport =
  | { readonly kind: "opened"; readonly open: number }
  | { readonly kind: "listening" }
  | { readonly kind: "heard"; readonly at: number }
  | { readonly kind: "back"; readonly at: readonly number[] };

/** Sockets of one process: well below what a process may usually open. */
const OF_ONE_PROCESS = 5_000;

/** Beyond this a stream was lost, and the run is worth nothing. */
const PATIENCE_MS = 120_000;

/** Clients that listen to a server's stream, in processes of their own. */
export class Crowd {
  readonly #members: ChildProcess[] = [];
  readonly #target: { readonly port: number; readonly head: string };
  #size = 0;

  private constructor(url: string, headers: Readonly<Record<string, string>>) {
    const { host, port } = new URL(url);
    const fields = Object.entries({ host, accept: "text/event-stream", ...headers }).map(([name, value]) => `${name}: ${value}`);
    this.#target = { port: Number(port), head: `GET /sdk/v1/stream HTTP/1.1\r\n${fields.join("\r\n")}\r\n\r\n` };
  }

  get size(): number {
    return this.#size;
  }

  /** @throws Error when not all of them were let in. */
  static async open(url: string, size: number, headers: Readonly<Record<string, string>>): Promise<Crowd> {
    const crowd = new Crowd(url, headers);
    await crowd.grow(size);
    return crowd;
  }

  /** Lets so many more in, beside those there are. @throws Error when not all of them were let in; the crowd is closed then */
  async grow(more: number): Promise<void> {
    const program = fileURLToPath(new URL("./crowd-process.js", import.meta.url));
    const counts = Array.from({ length: Math.ceil(more / OF_ONE_PROCESS) }, (_, n) =>
      Math.min(OF_ONE_PROCESS, more - n * OF_ONE_PROCESS),
    );
    const opened = await Promise.all(
      counts.map(async (count) => {
        const member = fork(program);
        this.#members.push(member);
        const said = next(member, "opened");
        member.send({ kind: "open", count, ...this.#target } satisfies CrowdOrder);
        return (await said).open;
      }),
    );
    const open = opened.reduce((sum, count) => sum + count, 0);
    this.#size += open;
    if (open === more) return;
    this.close();
    throw new Error(`${open} of ${more} streams were let in`);
  }

  /** Milliseconds from beginning to make a change until the last client heard of it. */
  async last(change: () => Promise<unknown>): Promise<number> {
    const listening = this.#members.map((member) => next(member, "listening"));
    const heard = this.#members.map((member) => next(member, "heard"));
    this.#tell({ kind: "listen" });
    await Promise.all(listening);
    const since = performance.timeOrigin + performance.now();
    await change();
    const times = await Promise.all(heard);
    return Math.max(...times.map(({ at }) => at)) - since;
  }

  /** From now on a client whose stream ends comes back, when and as its server asked for. */
  async comeBack(): Promise<void> {
    const listening = this.#members.map((member) => next(member, "listening"));
    this.#tell({ kind: "reconnect" });
    await Promise.all(listening);
  }

  /** When each of those that are back came. */
  async back(): Promise<number[]> {
    const said = this.#members.map((member) => next(member, "back"));
    this.#tell({ kind: "back" });
    return (await Promise.all(said)).flatMap(({ at }) => at);
  }

  close(): void {
    this.#tell({ kind: "close" });
  }

  #tell(order: CrowdOrder): void {
    for (const member of this.#members) member.send(order);
  }
}

function next<K extends CrowdReport["kind"]>(member: ChildProcess, kind: K): Promise<Extract<CrowdReport, { kind: K }>> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string): void => reject(new Error(`a crowd's process ${reason}`));
    const ended = (): void => fail("ended");
    const late = setTimeout(() => fail(`did not say ${kind}`), PATIENCE_MS);
    const hear = (report: CrowdReport): void => {
      if (report.kind !== kind) return;
      clearTimeout(late);
      member.off("message", hear).off("exit", ended);
      resolve(report as Extract<CrowdReport, { kind: K }>);
    };
    member.on("message", hear).on("exit", ended);
  });
}
