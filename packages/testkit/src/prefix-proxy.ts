import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

/** A reverse proxy that shows a server below a path of its own, as ingresses do. */
export interface PrefixProxy {
  /** Address with the path. */
  readonly url: string;
  /** Ends every connection. */
  close(): Promise<void>;
}

/** Starts one: it takes the prefix off and says so in `X-Forwarded-Prefix`; all else is passed on as it comes, streams too. */
export async function startPrefixProxy(targetPort: number, prefix: string): Promise<PrefixProxy> {
  const server = createServer((asked, answer) => {
    const { url = "", method, headers } = asked;
    if (!url.startsWith(`${prefix}/`)) {
      answer.writeHead(404).end();
      return;
    }
    const onward = request(
      {
        ...{ host: "127.0.0.1", port: targetPort, method, path: url.slice(prefix.length) },
        headers: { ...headers, "x-forwarded-prefix": prefix },
      },
      (answered) => {
        answer.writeHead(answered.statusCode ?? 502, answered.headers);
        answer.flushHeaders();
        answered.pipe(answer);
      },
    );
    // Whichever side goes, the other one is told.
    onward.on("error", () => answer.destroy());
    answer.on("close", () => onward.destroy());
    asked.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}${prefix}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
