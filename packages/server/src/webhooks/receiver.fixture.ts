import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export interface Heard {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Receiver {
  readonly url: string;
  readonly heard: Heard[];
  /** What it answers next; 200 once the list is empty. */
  readonly answers: number[];
  /** Connections made to it, whether or not anything was said on them. */
  readonly met: () => number;
}

/** A webhook's receiver, until the test is over. */
export async function receiver(): Promise<Receiver> {
  const heard: Heard[] = [];
  const answers: number[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      heard.push({ headers: request.headers, body });
      response.writeHead(answers.shift() ?? 200).end("ok");
    });
  });
  let connections = 0;
  server.on("connection", () => {
    connections += 1;
  });
  return { url: await listening(server), heard, answers, met: () => connections };
}

/** Its address, until the test is over. */
export async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
}
