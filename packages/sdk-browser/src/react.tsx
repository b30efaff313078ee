/**
 * Flags in a React tree. A component renders again only when its own flag answers otherwise; an exposure is recorded by
 * what was committed, never by what was only rendered.
 */
import type { Evaluation, Json } from "@belay/protocol";
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useSyncExternalStore } from "react";
import { type BelayClient, createClient } from "./create-client.ts";
import type { Widened } from "./lean-client.ts";

/**
 * The flags of an application by key, for it to declare; then an unknown key or a default of another type does not
 * compile. Without any, every key goes.
 *
 * @example
 * declare module "@belay/sdk-browser/react" {
 *   interface Flags { "checkout-v2": boolean; pricing: "compact" | "roomy" }
 * }
 */
// biome-ignore lint/suspicious/noEmptyInterface: it is empty so that applications can add to it
export interface Flags {}

/** A key that may be asked for. */
export type FlagName = keyof Flags extends never ? string : Extract<keyof Flags, string>;

/** What a flag's default must be. */
export type FlagDefault<K extends string> = K extends keyof Flags ? Extract<Flags[K], Json> : Json;

/** What a flag answers. */
export type FlagAnswer<K extends string, T extends Json> = K extends keyof Flags ? Extract<Flags[K], Json> : Widened<T>;

const ClientContext = createContext<BelayClient | undefined>(undefined);

/** Gives a tree its client. The client is the application's own: it is neither made nor closed here. */
export function BelayProvider({ client, children }: { readonly client: BelayClient; readonly children?: ReactNode }): ReactNode {
  return <ClientContext value={client}>{children}</ClientContext>;
}

/** The client of the nearest provider; without one, a client that answers every default. */
export function useBelay(): BelayClient {
  return useContext(ClientContext) ?? nobody();
}

/**
 * The flag's value, or `fallback`.
 *
 * @example
 * const layout = useFlag("pricing", "compact");
 */
export function useFlag<K extends FlagName, T extends FlagDefault<K>>(key: K, fallback: T): FlagAnswer<K, T> {
  const client = useBelay();
  useExposure(client, key, fallback);
  return useAnswer(
    client,
    () => client.peek<Json>(key, fallback).value,
    () => client.peekRendered<Json>(key, fallback),
  ) as FlagAnswer<K, T>;
}

/** The value with what led to it. */
export function useFlagDetails<K extends FlagName, T extends FlagDefault<K>>(key: K, fallback: T): Evaluation<FlagAnswer<K, T>> {
  const client = useBelay();
  useExposure(client, key, fallback);
  const [peek, peekRendered] = useMemo(() => {
    const rendered: Evaluation = { value: client.peekRendered<Json>(key, fallback), reason: "CACHED", revision: 0 };
    return [remembering(() => client.peek<Json>(key, fallback)), () => rendered] as const;
  }, [client, key, fallback]);
  return useAnswer(client, peek, peekRendered) as Evaluation<FlagAnswer<K, T>>;
}

/** Its children where the flag is on, else `fallback`. */
export function Flag({
  name,
  children,
  fallback = null,
}: {
  readonly name: FlagName;
  readonly children?: ReactNode;
  readonly fallback?: ReactNode;
}): ReactNode {
  return (useFlag as (key: string, fallback: boolean) => boolean)(name, false) ? children : fallback;
}

/**
 * Follows an answer. While hydrating it is the one the page was rendered with, so that the markup fits; React asks for
 * the newest right after.
 */
function useAnswer<T>(client: BelayClient, answer: () => T, rendered: () => T): T {
  const subscribe = useCallback(
    (changed: () => void) => {
      const offs = [client.on("change", changed), client.on("state", changed)];
      return () => {
        for (const off of offs) off();
      };
    },
    [client],
  );
  return useSyncExternalStore(subscribe, answer, rendered);
}

/** Records what a committed component shows, and again whenever rules or people change; the client tells each once. */
function useExposure(client: BelayClient, key: string, fallback: Json): void {
  const type = typeof fallback;
  // biome-ignore lint/correctness/useExhaustiveDependencies: of the default only its type decides what is recorded
  useEffect(() => {
    const record = (): void => void client.value(key, fallback);
    record();
    return client.on("change", record);
  }, [client, key, type]);
}

/** The same object for as long as it would say the same. */
function remembering<T>(make: () => T): () => T {
  let last: T | undefined;
  let lastText: string | undefined;
  return () => {
    const next = make();
    const text = JSON.stringify(next);
    if (last === undefined || text !== lastText) [last, lastText] = [next, text];
    return last;
  };
}

let offline: BelayClient | undefined;

function nobody(): BelayClient {
  if (offline === undefined) console.warn("belay: useFlag without a BelayProvider above it answers defaults");
  offline ??= createClient();
  return offline;
}
