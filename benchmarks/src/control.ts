import type { ServerProcess } from "@belay/testkit";

/** The default project's control plane of a server under test, as an operator's script would call it. */
export interface Control {
  /** A server SDK key of the environment. */
  readonly sdkKey: string;
  send(method: string, path: string, body?: unknown): Promise<unknown>;
}

export const ENVIRONMENT = "production";

/** Signs in with the testkit's admin token and makes an SDK key. */
export async function connectControl(server: ServerProcess): Promise<Control> {
  const send = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const answer = await fetch(`${server.url}/api/v1/projects/default${path}`, {
      method,
      headers: {
        authorization: `Bearer ${server.adminToken}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${await answer.text()}`);
    return answer.json();
  };
  const made = (await send("POST", "/keys", { environment: ENVIRONMENT, kind: "server", name: "benchmark" })) as {
    secret: string;
  };
  return { sdkKey: made.secret, send };
}
