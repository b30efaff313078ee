/* The shop's own server: one page, rendered for whoever comes with the rules of that moment. */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import type { Snapshot } from "@belay/protocol";
import { rolldown } from "rolldown";
import { render } from "./render.tsx";

/** Seen from src/ and from dist/ alike. */
const PAGE = fileURLToPath(new URL("../src/page.tsx", import.meta.url));
const STYLE = new URL("../src/style.css", import.meta.url);

export interface ShopOptions {
  /** Address of the Belay server. */
  readonly url: string;
  readonly clientKey: string;
  /** @default a free one */
  readonly port?: number;
}

export interface Shop {
  readonly url: string;
  close(): Promise<void>;
}

/** Bundles the page and serves it on 127.0.0.1. */
export async function openShop({ url, clientKey, port = 0 }: ShopOptions): Promise<Shop> {
  const files = new Map([
    ["/page.js", { type: "text/javascript", body: await bundled() }],
    ["/style.css", { type: "text/css", body: await readFile(STYLE, "utf8") }],
  ]);
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    // Nothing inline, nothing evaluated, no other origin than Belay's.
    response.setHeader(
      "content-security-policy",
      `default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src ${url}`,
    );
    const file = files.get(request.url ?? "");
    if (file !== undefined) return void response.writeHead(200, { "content-type": file.type }).end(file.body);
    if (request.url !== "/") return void response.writeHead(404).end();
    const visitor = visitorOf(request);
    const html = render({ url, clientKey, visitor, rules: await rulesOf(url, clientKey) });
    response
      .writeHead(200, {
        "content-type": "text/html; charset=utf-8",
        "set-cookie": `visitor=${visitor}; Path=/; SameSite=Lax; Max-Age=31536000`,
      })
      .end(html);
  };
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** Who comes back is the same person: a random id in a cookie, made once. */
function visitorOf({ headers }: IncomingMessage): string {
  return /(?:^|; )visitor=([\w-]{1,64})/.exec(headers.cookie ?? "")?.[1] ?? randomUUID();
}

/** The rules of this moment, as any browser may read them. */
async function rulesOf(url: string, clientKey: string): Promise<Snapshot> {
  const response = await fetch(`${url}/sdk/v1/snapshot`, { headers: { authorization: `Bearer ${clientKey}` } });
  if (!response.ok) throw new Error(`the Belay server answered ${response.status}`);
  return (await response.json()) as Snapshot;
}

async function bundled(): Promise<string> {
  const build = await rolldown({
    input: PAGE,
    transform: { define: { "process.env.NODE_ENV": '"production"' } },
  });
  const { output } = await build.generate({ format: "esm", minify: true, codeSplitting: false });
  await build.close();
  return output[0].code;
}
