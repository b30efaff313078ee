import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * What happens to one statement. `refuse`: it never reaches the server, and the connection is cut. `swallow`: the server runs
 * it, and the connection is cut before the answer. `delay`: the connection is cut, and the server gets it at `release`.
 */
export type StatementFault = "refuse" | "swallow" | "delay";

/** A proxy in front of a ClickHouse server that lets statements pass one by one. */
export interface StatementProxy {
  readonly url: string;
  /** Statements seen since the last `arm`. */
  readonly seen: number;
  /** From now on the statement of this number, counted from 1, meets a fault; every other one passes. */
  arm(fault: StatementFault, at: number): void;
  /** From now on every statement passes, and together with the one of this number the delayed one does. */
  releaseWith(at: number): void;
  /** Lets the delayed statement reach the server, and waits until it ended there. */
  release(): Promise<void>;
  close(): Promise<void>;
}

export async function startStatementProxy(target: string): Promise<StatementProxy> {
  let fault: StatementFault = "refuse";
  let at = Number.POSITIVE_INFINITY;
  let seen = 0;
  let delayed: (() => Promise<unknown>) | undefined;
  let releaseAt = Number.POSITIVE_INFINITY;
  let released: Promise<unknown> | undefined;
  const server = createServer((request, response) => void pass(request, response));

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    seen += 1;
    const isHit = seen === at;
    const body = Buffer.concat(await request.toArray());
    const forward = async (): Promise<[number, Buffer]> => {
      const answer = await fetch(`${target}${request.url}`, { method: request.method ?? "GET", body });
      return [answer.status, Buffer.from(await answer.arrayBuffer())];
    };
    if (isHit && fault === "delay") delayed = forward;
    if (isHit && fault !== "swallow") return void request.socket.destroy();
    if (seen === releaseAt) released = delayed?.();
    const [status, bytes] = await forward();
    if (isHit) return void request.socket.destroy();
    response.writeHead(status).end(bytes);
  }

  const port = await listen(server);
  return {
    url: `http://127.0.0.1:${port}`,
    get seen() {
      return seen;
    },
    arm(which, number) {
      fault = which;
      at = number;
      seen = 0;
      delayed = undefined;
      released = undefined;
      releaseAt = Number.POSITIVE_INFINITY;
    },
    releaseWith(number) {
      at = Number.POSITIVE_INFINITY;
      seen = 0;
      releaseAt = number;
    },
    release: async () => {
      await (released ?? delayed?.());
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}
