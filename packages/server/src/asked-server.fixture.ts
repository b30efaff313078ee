import { ADMIN_TOKEN, type ServerProcess } from "@belay/testkit";
import { expect } from "vitest";

/** A request to a built server: as its admin, where nobody else is named. */
export type Asked = [method: string, path: string, body?: unknown, token?: string];

export interface Answered {
  readonly status: number;
  /** Its JSON; absent where there is none. */
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it just asserts on
  readonly body: any;
}

/** What a built server answers, whatever that is. */
export async function askServer(
  server: Pick<ServerProcess, "url"> | undefined,
  ...[method, path, body, token = ADMIN_TOKEN]: Asked
): Promise<Answered> {
  const answer = await fetch(`${server?.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, body: text === "" ? undefined : JSON.parse(text) };
}

/** What a built server answers where it must do as it is asked. */
export async function answerOf<T>(server: Pick<ServerProcess, "url"> | undefined, ...asked: Asked): Promise<T> {
  const { status, body } = await askServer(server, ...asked);
  expect(status, JSON.stringify(body)).toBeLessThan(300);
  return body as T;
}
