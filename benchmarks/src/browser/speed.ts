import type { Browser, Page } from "playwright-core";
import { quantile } from "../rounds.ts";

declare global {
  /** Makes a user's client ready, untimed. */
  var prepare: (id: string) => void;
  /** Asks for a user. */
  var decide: (id: string) => boolean;
}

/** What one SDK's decisions took, in nanoseconds, and how many of 1,000 users were on. */
export interface PageTiming {
  readonly medianNs: number;
  readonly fastestNs: number;
  readonly slowestNs: number;
  readonly share: number;
}

/** Passes over all users in one timed round: long beside the tenth of a millisecond that a page's clock tells apart. */
const PASSES = 100;
const WARMUPS = 3;

/** Each SDK in a page of its own, in interleaved rounds whose order turns round; a timing a script, in their order. */
export async function compareInPage(browser: Browser, scripts: readonly string[], rounds: number): Promise<PageTiming[]> {
  const pages = await Promise.all(scripts.map((script) => open(browser, script)));
  const taken: number[][] = pages.map(() => []);
  let shares: number[] = [];
  for (let round = -WARMUPS; round < rounds; round++) {
    const order = pages.map((_, index) => index);
    for (const index of round % 2 === 0 ? order : order.reverse()) {
      const { ns, share } = await pass(pages[index] as Page);
      shares = Object.assign(shares, { [index]: share });
      if (round >= 0) taken[index]?.push(ns);
    }
  }
  return taken.map((times, index) => ({
    medianNs: quantile(times, 0.5),
    fastestNs: quantile(times, 0),
    slowestNs: quantile(times, 1),
    share: shares[index] ?? 0,
  }));
}

async function open(browser: Browser, script: string): Promise<Page> {
  const page = await browser.newPage();
  await page.addScriptTag({ type: "module", content: script });
  await page.waitForFunction(() => typeof globalThis.decide === "function");
  await page.evaluate(() => {
    for (let at = 0; at < 1_000; at++) prepare(`user-${at}`);
  });
  return page;
}

function pass(page: Page): Promise<{ ns: number; share: number }> {
  return page.evaluate((passes) => {
    const users = Array.from({ length: 1_000 }, (_, at) => `user-${at}`);
    let on = 0;
    const startedAt = performance.now();
    for (let pass = 0; pass < passes; pass++) for (const user of users) if (decide(user)) on++;
    const ns = ((performance.now() - startedAt) * 1e6) / (passes * users.length);
    return { ns, share: on / passes };
  }, PASSES);
}
