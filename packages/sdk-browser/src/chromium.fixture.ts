/** A real browser with pages of a strict origin: what the tests of this package run in. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { chromiumPath } from "@belay/testkit";
import { chromium, type Page } from "playwright-core";
import { bundled } from "./bundle.fixture.ts";

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

interface Site {
  readonly url: string;
  /** Bodies by path, served with the content type of their name's end. */
  readonly files: Map<string, string>;
  close(): Promise<void>;
}

export interface OpenedPage {
  readonly page: Page;
  /** Every violation of its policy and every error, as they come. */
  readonly faults: string[];
}

/** Pages of one site in one browser. */
export interface Pages extends Pick<Site, "url" | "files"> {
  /** Opens a page of a fresh profile. @param path default `/` */
  open(path?: string): Promise<OpenedPage>;
  /** Closes those that are open. */
  clear(): Promise<void>;
  /** Ends the browser and the site. */
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
 * Starts the browser, and a site of its own origin whose pages may run its own files only: no inline script, no eval. Its
 * pages load what `code` exports, as of `bundled`, and put it on `bundle`.
 *
 * @param files further bodies by path
 */
export async function openPages(code: string, files: Readonly<Record<string, string>> = {}): Promise<Pages> {
  const { text, folder } = await bundled(code);
  await folder.remove();
  const site = await openSite(text, files);
  const browser = await chromium.launch({ executablePath: CHROMIUM as string, args: FLAGS });
  return {
    url: site.url,
    files: site.files,
    open: async (path = "/") => {
      const page = await (await browser.newContext()).newPage();
      const faults = faultsOf(page);
      await page.goto(`${site.url}${path}`);
      return { page, faults };
    },
    clear: async () => {
      for (const context of browser.contexts()) await context.close();
    },
    close: async () => {
      await browser.close();
      await site.close();
    },
  };
}

async function openSite(bundle: string, files: Readonly<Record<string, string>>): Promise<Site> {
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

function faultsOf(page: Page): string[] {
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("console", (message) => {
    if (/Content Security Policy/.test(message.text())) faults.push(message.text());
  });
  return faults;
}
