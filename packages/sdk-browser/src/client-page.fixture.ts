/** A client in a page, as the tests in Chromium start one and listen to it. */

import type { Page } from "playwright-core";
import type { ClientState } from "./application.ts";
import type * as sdk from "./index.ts";
import type { BelayClient, ClientOptions } from "./index.ts";

declare global {
  var belay: BelayClient;
  /** What the client told the page, in order: warnings as text, changes as they are. */
  var heard: unknown[];
}

/**
 * Makes a client in a page and waits until it is live, or for `timeoutMs`.
 *
 * @param options as of `createClient`; `kept`: it keeps its rules in the page's storage
 */
export function startClient(
  page: Page,
  { kept = false, ...options }: ClientOptions & { readonly kept?: boolean },
  timeoutMs = 15_000,
): Promise<ClientState> {
  return page.evaluate(
    ([given, timeoutMs, isKept]) => {
      const { createClient, localKeeper } = globalThis.bundle as unknown as typeof sdk;
      globalThis.heard = [];
      globalThis.belay = createClient({
        ...(given as ClientOptions),
        ...(isKept ? { keeper: localKeeper } : {}),
        logger: { warn: (text) => heard.push(text) },
      });
      belay.on("change", (change) => heard.push(change));
      return belay.ready({ timeoutMs });
    },
    // As an object of no type: the snapshot's own is too deep for what says which values can cross into a page.
    [options as object, timeoutMs, kept] as const,
  );
}
