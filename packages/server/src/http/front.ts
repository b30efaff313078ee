import type { IncomingHttpHeaders, IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";

/** An answer whose every byte is there before anybody asks. */
export interface ReadyAnswer {
  readonly status: 200 | 304;
  /** Names and values in turn, as Node writes them without looking at them one by one. */
  readonly headers: string[];
  readonly body: Buffer | undefined;
}

/** The answer to a GET with these headers; `undefined` where it is not ready or is a refusal. */
export type ReadyDoor = (headers: IncomingHttpHeaders) => ReadyAnswer | undefined;

type OnAnswered = (path: string, status: number, elapsedMs: number) => void;

/**
 * Answers what is ready before the framework looks at the request: for an answer that takes no work, taking the request
 * through the framework is most of what it costs. Whatever is not plain (a refusal, a body, another method, a query, the
 * first of its kind) is left untouched to the route of the same path, so a door here changes what an answer costs and
 * nothing else.
 */
export class Front {
  readonly #doors = new Map<string, ReadyDoor>();
  #onAnswered: OnAnswered = () => {};
  #isOpen: boolean;

  /** @param isOpen `false`: everything is the framework's, which logs each request */
  constructor(isOpen: boolean) {
    this.#isOpen = isOpen;
  }

  /** Asks `door` about every plain GET of exactly this path. */
  put(path: string, door: ReadyDoor): void {
    this.#doors.set(path, door);
  }

  /** Calls `listener` with each answer given here. */
  onAnswered(listener: OnAnswered): void {
    this.#onAnswered = listener;
  }

  /** From now on the framework answers everything: it closes the connection with each answer. */
  close(): void {
    this.#isOpen = false;
  }

  /** Takes the place of those who listen for requests at this server, and hands on to them what is not answered here. */
  stand(server: Server): void {
    const framework = server.listeners("request") as RequestListener[];
    server.removeAllListeners("request").on("request", (request, answer) => {
      if (!this.#answers(request, answer)) for (const listener of framework) listener.call(server, request, answer);
    });
  }

  #answers(request: IncomingMessage, answer: ServerResponse): boolean {
    const { url = "", method } = request;
    const door = this.#doors.get(url);
    if (door === undefined || method !== "GET" || !this.#isOpen) return false;
    const since = performance.now();
    const ready = readyFor(door, request.headers);
    if (ready === undefined) return false;
    answer.writeHead(ready.status, ready.headers);
    answer.end(ready.body);
    this.#onAnswered(url, ready.status, performance.now() - since);
    return true;
  }
}

function readyFor(door: ReadyDoor, headers: IncomingHttpHeaders): ReadyAnswer | undefined {
  if (headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined) return undefined;
  try {
    return door(headers);
  } catch {
    // The route meets the same fault, and knows how to say it.
    return undefined;
  }
}
