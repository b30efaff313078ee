/** The REST API of one server, as an operator's script uses it. */
export interface Admin {
  /** The server's address. */
  readonly url: string;
  /**
   * Sends one request to `/api/v1` and reads the answer.
   *
   * @throws Error with the server's own words when the answer is not 2xx.
   */
  readonly send: <Answer>(method: "GET" | "POST" | "PUT", path: string, body?: unknown) => Promise<Answer>;
  /** Opens a pull; the caller reads the body as it comes. */
  readonly pull: (path: string, accept: string) => Promise<AsyncIterable<string>>;
}

/** An operator's access to the server at `url`. */
export function adminOf(url: string, token: string): Admin {
  const call = async (method: string, path: string, headers: Record<string, string>, body?: unknown): Promise<Response> => {
    const answer = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${await answer.text()}`);
    return answer;
  };
  return {
    url,
    send: async <Answer>(method: string, path: string, body?: unknown) => {
      const answer = await call(method, path, body === undefined ? {} : { "content-type": "application/json" }, body);
      return (await answer.json()) as Answer;
    },
    pull: async (path, accept) => {
      const { body } = await call("GET", path, { accept });
      if (body === null) throw new Error(`GET ${path} answered without a body`);
      return body.pipeThrough(new TextDecoderStream());
    },
  };
}
