/*
 * A page that goes away can send `text/plain` only, and no header of its own: a header would make the browser ask leave
 * first, and by then the page is gone. Such a batch brings its SDK key inside.
 */
import type { FastifyRequest } from "fastify";
import type { SdkHook } from "../access/access.ts";
import { ProblemError } from "../http/problem.ts";

/** Asks for the key where it is known before the body is read: in the header. */
export function keyInHeader(sdk: SdkHook): SdkHook {
  const ask = (request: FastifyRequest): Promise<void> => (isBeacon(request) ? Promise.resolve() : sdk(request));
  return Object.assign(ask, { needs: sdk.needs });
}

/** Asks for the key in the body where the header had none. */
export function keyInBody(sdk: SdkHook): (request: FastifyRequest) => Promise<void> {
  return async (request) => {
    if (request.sdk !== undefined) return;
    const { sdkKey } = (request.body ?? {}) as { readonly sdkKey?: unknown };
    if (typeof sdkKey !== "string") throw new ProblemError("unauthenticated");
    request.headers.authorization = `Bearer ${sdkKey}`;
    await sdk(request);
  };
}

/** What browsers allow a beacon; a stranger makes the server read no more than that. */
const BEACON_BYTES_MAX = 65_536;

function isBeacon({ headers }: FastifyRequest): boolean {
  const isPlain = headers["content-type"]?.toLowerCase().startsWith("text/plain") === true;
  const isSmall = Number(headers["content-length"]) <= BEACON_BYTES_MAX && headers["content-encoding"] === undefined;
  return isPlain && isSmall && headers.authorization === undefined;
}
