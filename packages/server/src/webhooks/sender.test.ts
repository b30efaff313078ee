import { createServer } from "node:http";
import type { LookupFunction } from "node:net";
import { describe, expect, it } from "vitest";
import { listening, receiver } from "./receiver.fixture.ts";
import { sender } from "./sender.ts";

describe("fault 48: addresses that are not public", () => {
  it.each([
    "127.0.0.1",
    "localhost",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:10.0.0.1]",
    "0x7f000001",
    "2130706433",
    "0177.0.0.1",
    "0.0.0.0",
    "169.254.169.254",
    "10.0.0.1",
    "[fd00::1]",
    "[fe80::1]",
  ])("%s is refused before a byte is sent", async (host) => {
    const { url, met } = await receiver();
    const sent = await sender({ timeoutMs: 5_000 })(url.replace("127.0.0.1", host), {}, "{}");
    expect(sent).toEqual({ fault: "its address is not public: add it to BELAY_WEBHOOK_ALLOW if it is yours", isFinal: true });
    expect(met()).toBe(0);
  });

  it.each([[["127.0.0.1"]], [["93.184.216.34", "127.0.0.1"]], [["::1"]]])(
    "a name that resolves to %j when the connection is made is refused",
    async (addresses) => {
      const { url, met } = await receiver();
      const lookup: LookupFunction = (_, { all }, done) => {
        const found = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
        if (all === true) done(null, found);
        else done(null, addresses.at(-1) ?? "", 4);
      };
      const sent = await sender({ lookup })(url.replace("127.0.0.1", "was-public-a-moment-ago.example"), {}, "{}");
      expect(sent).toMatchObject({ isFinal: true });
      expect(met()).toBe(0);
    },
  );

  it("a redirect to one is not followed", async () => {
    const { url, met } = await receiver();
    const from = await listening(createServer((_, response) => response.writeHead(302, { location: url }).end()));
    expect(await sender({ allow: ["127.0.0.1"] })(from, {}, "{}")).toEqual({
      status: 302,
      fault: "it answered 302: redirects are not followed",
    });
    expect(met()).toBe(0);
  });
});
