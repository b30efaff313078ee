/*
 * The loops that are timed. One shape of loop for all contenders, written twice because an `await` of a plain value is
 * not free: synchronous SDKs must not pay for it.
 */
import type { Context, OpenClient } from "./rival.ts";

/** One question, asked for many contexts. */
export interface Question {
  readonly kind: "boolean" | "variant";
  readonly key: string;
}

/** Asks for every context; returns how many were served `true`, or the variant `first`: the results are consumed. */
export type Pass = (contexts: readonly Context[]) => number | Promise<number>;

/** The pass over a question that suits how the SDK answers. */
export function passOf(client: OpenClient, answers: "sync" | "async", { kind, key }: Question): Pass {
  if (answers === "async") {
    return kind === "boolean"
      ? (contexts) => countOnAwaited(client, key, contexts)
      : (contexts) => countFirstAwaited(client, key, contexts);
  }
  return kind === "boolean" ? (contexts) => countOn(client, key, contexts) : (contexts) => countFirst(client, key, contexts);
}

function countOn(client: OpenClient, key: string, contexts: readonly Context[]): number {
  let on = 0;
  for (let i = 0; i < contexts.length; i++) if (client.isOn(key, contexts[i], false)) on++;
  return on;
}

function countFirst(client: OpenClient, key: string, contexts: readonly Context[]): number {
  let first = 0;
  for (let i = 0; i < contexts.length; i++) if (client.variant(key, contexts[i]) === "first") first++;
  return first;
}

async function countOnAwaited(client: OpenClient, key: string, contexts: readonly Context[]): Promise<number> {
  let on = 0;
  for (let i = 0; i < contexts.length; i++) if (await client.isOn(key, contexts[i], false)) on++;
  return on;
}

async function countFirstAwaited(client: OpenClient, key: string, contexts: readonly Context[]): Promise<number> {
  let first = 0;
  for (let i = 0; i < contexts.length; i++) if ((await client.variant(key, contexts[i])) === "first") first++;
  return first;
}
