import type { FastifyRequest } from "fastify";
import { ProblemError } from "../http/problem.ts";

/** Which pages are this server's own, and whether they came over https. */
export interface OwnPages {
  /** Did this request reach the server, or the proxy before it, over https? */
  readonly isHttps: (request: FastifyRequest) => boolean;
  /**
   * Lets pass what a page of this server sent, and what a person opened by hand. A browser sends a cookie whoever asked for
   * it to, so a write must show besides that its page is ours (`Sec-Fetch-Site` or `Origin`, which pages cannot set) and
   * could set a header, which pages of others cannot without being allowed to.
   *
   * @throws ProblemError for everything else.
   */
  readonly assertOwn: (request: FastifyRequest) => void;
}

/** Every write of a page carries it; its value does not matter. */
const PAGE_HEADER = "x-belay-page";

/** `publicUrl` is how people reach the server, where a proxy changes its name; absent: by the name the request is for. */
export function ownPages(publicUrl?: string): OwnPages {
  const known = publicUrl === undefined ? undefined : new URL(publicUrl);
  const isHttps = (request: FastifyRequest): boolean =>
    known === undefined ? cameOverHttps(request) : known.protocol === "https:";
  const isOwn = (origin: string, host: string | undefined): boolean => {
    if (known !== undefined) return origin === known.origin;
    return URL.canParse(origin) && new URL(origin).host === host;
  };
  return {
    isHttps,
    assertOwn: ({ method, headers }) => {
      const isRead = method === "GET" || method === "HEAD";
      const { origin, host, "sec-fetch-site": site } = headers;
      const isSameSite = site === "same-origin" || site === undefined || (isRead && site === "none");
      const isSameOrigin = origin === undefined || isOwn(origin, host);
      const isProven = isRead || ((origin ?? site) !== undefined && headers[PAGE_HEADER] !== undefined);
      if (!isSameSite || !isSameOrigin || !isProven) throw new ProblemError("cross_site", { header: PAGE_HEADER });
    },
  };
}

/** Who lies here only gets a cookie of the other name: it decides nothing else. */
function cameOverHttps({ headers, raw }: FastifyRequest): boolean {
  const forwarded = [headers["x-forwarded-proto"]].flat()[0]?.split(",", 1)[0]?.trim();
  return forwarded === undefined ? "encrypted" in raw.socket : forwarded === "https";
}
