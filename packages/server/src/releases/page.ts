/* A page that needs nothing else: to be read, printed, mailed and kept. It runs no script and loads nothing. */
import { escaped } from "../results/markup.ts";
import { REPORT_STYLE } from "../results/report-style.ts";

export { REPORT_POLICY as PAGE_POLICY } from "../results/report.ts";

export interface Page {
  readonly title: string;
  readonly kicker: string;
  readonly headline: string;
  /** One sentence below the headline. */
  readonly lead: string;
  readonly tone: "good" | "bad" | "open";
  /** HTML already. */
  readonly parts: readonly string[];
}

const CLASSES = { good: "ship", bad: "do-not-ship", open: "" } as const;

/** The page as one text. Light and dark follow whoever reads it. */
export function pageText({ title, kicker, headline, lead, tone, parts }: Page): string {
  return [
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">`,
    `<title>${escaped(title)}</title><style>${REPORT_STYLE}</style></head><body><main>`,
    `<header class="${CLASSES[tone]}"><p class="kicker">${escaped(kicker)}</p><h1>${escaped(headline)}</h1><p>${escaped(lead)}</p></header>`,
    ...parts.filter((part) => part !== ""),
    "</main></body></html>\n",
  ].join("\n");
}
