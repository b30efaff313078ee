/** Sets the shop's flags up over the REST API, as an operator's script would. */
export interface Operator {
  /** A client key for the shop's pages. */
  readonly clientKey: string;
  send(method: string, path: string, body?: unknown): Promise<unknown>;
}

const TARGETING = "/environments/production/flags";

/** Makes a client key and the three flags of the shop: one off, one experiment, one text. */
export async function setUpFlags(url: string, token: string): Promise<Operator> {
  const send = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const response = await fetch(`${url}/api/v1/projects/default${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`);
    return response.json();
  };
  const { secret } = (await send("POST", "/keys", { environment: "production", kind: "client", name: "shop" })) as {
    secret: string;
  };
  await send("POST", "/flags", { key: "free-shipping", clientSide: true });
  await send("PUT", `${TARGETING}/free-shipping/rollout`, { percentage: 0 });
  await send("POST", "/flags", {
    key: "tea-cards",
    type: "string",
    variants: { photo: "photo", facts: "facts" },
    clientSide: true,
  });
  await send("PUT", `${TARGETING}/tea-cards`, {
    enabled: true,
    rules: [],
    fallthrough: { weights: { photo: 50, facts: 50 }, tracks: { experiment: "tea-facts" } },
  });
  await send("POST", "/flags", {
    key: "headline",
    type: "string",
    variants: { plain: "Tea, and nothing else", autumn: "Something warm for November" },
    clientSide: true,
  });
  await send("PUT", `${TARGETING}/headline`, { enabled: true, rules: [], fallthrough: { variant: "autumn" } });
  return { clientKey: secret, send };
}
