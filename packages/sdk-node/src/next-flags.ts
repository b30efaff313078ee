/** Belay behind the `flags` SDK that applications of Next.js declare their flags with. */
import type { Client } from "@belay/core/client";
import type { EvaluationContext, Json } from "@belay/protocol";
import { type Adapter, type ApiData, verifyAccess, version } from "flags";
import type { BelayClient } from "./flag-types.ts";

/**
 * An adapter for `flag({ key, defaultValue, adapter, identify })`: `identify` says the context, `decide` asks Belay. A flag
 * must have a `defaultValue`, which also says its type; `decide` throws a TypeError for one without.
 *
 * @example
 * const checkout = flag({ key: "checkout-v2", defaultValue: false, adapter: belayAdapter<boolean>(belay), identify });
 */
export function belayAdapter<T>(client: BelayClient): Adapter<T, EvaluationContext> {
  // Without the application's declared keys: the flags SDK asks by any text.
  const anyKey = client as unknown as Client;
  return {
    initialize: async () => void (await client.ready()),
    decide: ({ key, entities = {}, defaultValue }) => {
      if (defaultValue === undefined) throw new TypeError(`the flag ${key} needs a defaultValue`);
      return anyKey.value<Json>(key, entities, defaultValue as Json) as T;
    },
  };
}

/**
 * The route handler of the discovery endpoint, `app/.well-known/vercel/flags/route.ts`. It tells what `data` gives, usually
 * `getProviderData(flags)`, to who proves to know the secret; to everybody else, and always without a secret, it says 401.
 *
 * @param secret `FLAGS_SECRET` of the environment by default
 */
export function discoveryEndpoint(
  data: () => ApiData | Promise<ApiData>,
  secret: string | undefined = process.env["FLAGS_SECRET"],
): (request: Request) => Promise<Response> {
  return async (request) => {
    if (!(await knows(request.headers.get("authorization"), secret))) {
      return Response.json({ error: "unauthorized" }, { status: 401, headers: { "cache-control": "no-store" } });
    }
    return Response.json(await data(), { headers: { "cache-control": "no-store", "x-flags-sdk-version": version } });
  };
}

/** A secret of the wrong length makes the check throw: then nobody knows it. */
async function knows(authorization: string | null, secret: string | undefined): Promise<boolean> {
  if (authorization === null || secret === undefined || secret === "") return false;
  try {
    return await verifyAccess(authorization, secret);
  } catch {
    return false;
  }
}
