/** A server's doors and the pages of one browser that are served by them, for a suite of tests in Chromium. */
import type { SdkDoor } from "@belay/testkit";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import type { ClientState } from "./application.ts";
import { type OpenedPage, openPages, type Pages } from "./chromium.fixture.ts";
import { startClient } from "./client-page.fixture.ts";
import { openDoor } from "./door.fixture.ts";
import type { ClientOptions } from "./index.ts";
import { experiment, rollout, snapshotOf } from "./rules.fixture.ts";

export const KEY = "client-key-1";
const USER = { targetingKey: "user-42", plan: "pro" };
/** What the door serves at revision 7: on for everybody, and an experiment. */
export const FLAGS = { "checkout-v2": rollout(1_000_000), pricing: experiment() };

export interface DoorPages {
  /** The doors of the test that runs. */
  readonly door: SdkDoor;
  /** Bodies of the site's pages by path. */
  readonly files: Pages["files"];
  /** The site's own address. */
  readonly url: string;
  open(): Promise<OpenedPage>;
  /** Starts a client of the door in a page, for `USER` unless told otherwise, as `startClient` does. */
  start(page: Page, options?: Parameters<typeof startClient>[1], timeoutMs?: number): Promise<ClientState>;
}

/**
 * For the suite it is called in: one browser for all tests, new doors and no pages at the start of each.
 *
 * @param code what pages load, as of `bundled`
 */
export function doorPages(code: string): DoorPages {
  let pages: Pages;
  let door: SdkDoor;
  beforeAll(async () => {
    pages = await openPages(code);
  });
  afterAll(() => pages.close());
  beforeEach(async () => {
    door = await openDoor({ sdkKey: KEY, snapshot: snapshotOf(7, FLAGS), heartbeatMs: 500 });
  });
  afterEach(async () => {
    await pages.clear();
    await door.stop();
  });
  return {
    get door() {
      return door;
    },
    get files() {
      return pages.files;
    },
    get url() {
      return pages.url;
    },
    open: () => pages.open(),
    start: (page, options: Partial<ClientOptions> = {}, timeoutMs) =>
      startClient(page, { url: door.url, clientKey: KEY, context: USER, ...options }, timeoutMs),
  };
}
