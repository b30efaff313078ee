/** A real browser with pages of a strict origin: what the tests of this package run in. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { chromiumPath } from "@belay/testkit";
import { type Browser, chromium, type Page } from "playwright-core";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Where the browser is; `undefined` where there is none and tests may do without. */
export const CHROMIUM: string | undefined = chromiumPath();

export interface Site {
  readonly url: string;
  /** Bodies by path, served with the content type of their name's end. */
  readonly files: Map<string, string>;
  close(): Promise<void>;
}

const TYPES: Readonly<Record<string, string>> = {
  js: "text/javascript",
  json: "application/json",
  html: "text/html; charset=utf-8",
};

const PAGE = '<!doctype html><title>page</title><body></body><script type="module" src="/page.js"></script>';

declare global {
  /** What the bundle of a site exports, for the code a test runs in its pages. */
  var bundle: Record<string, (...given: never[]) => unknown>;
}

/**
 * A site of its own origin whose pages may run its own files only: no inline script, no eval. Its pages load the bundle
 * and put what it exports on `bundle`.
 */
export async function openSite(bundle: string, files: Readonly<Record<string, string>> = {}): Promise<Site> {
  const page = 'import * as bundle from "/bundle.js"; globalThis.bundle = bundle;';
  const served = new Map(Object.entries({ "/": PAGE, "/page.js": page, "/bundle.js": bundle, ...files }));
  const server: Server = createServer((request, response) => {
    const path = (request.url ?? "/").split("?")[0] ?? "/";
    const body = served.get(path);
    const type = TYPES[path.split(".")[1] ?? "html"] ?? "text/plain";
    const csp = "default-src 'none'; script-src 'self'; connect-src 'self' http://127.0.0.1:*; style-src 'none'";
    response.writeHead(body === undefined ? 404 : 200, { "content-type": type, "content-security-policy": csp }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://localhost:${port}`,
    files: served,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM as string, args: FLAGS });
}

/** A page of a fresh profile, with every violation of its policy and every error noted. */
export async function openPage(browser: Browser, url: string): Promise<{ page: Page; faults: string[] }> {
  const context = await browser.newContext();
  const page = await context.newPage();
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("console", (message) => {
    if (/Content Security Policy/.test(message.text())) faults.push(message.text());
  });
  await page.goto(url);
  return { page, faults };
}
