import { describe, expect, it } from "vitest";
import { type Cidr, inCidr, parseCidr } from "./cidr.ts";

const block = (text: string): Cidr => {
  const parsed = parseCidr(text);
  if (parsed === undefined) throw new Error(`${text} is no block`);
  return parsed;
};

describe("inCidr", () => {
  it.each([
    ["10.0.0.0/8", "10.255.255.255", true],
    ["10.0.0.0/8", "11.0.0.0", false],
    ["10.1.2.3/8", "10.0.0.0", true],
    ["192.168.1.1", "192.168.1.1", true],
    ["192.168.1.1", "192.168.1.2", false],
    ["192.168.1.0/31", "192.168.1.1", true],
    ["192.168.1.0/31", "192.168.1.2", false],
    ["128.0.0.0/1", "255.0.0.1", true],
    ["128.0.0.0/1", "127.255.255.255", false],
    ["0.0.0.0/0", "255.255.255.255", true],
    ["0.0.0.0/0", "::ffff:1.2.3.4", true],
    ["0.0.0.0/0", "::1", false],
    ["::/0", "1.2.3.4", true],
    ["2001:db8::/32", "2001:DB8:ffff::1", true],
    ["2001:db8::/32", "2001:db9::", false],
    ["2001:db8:0:0:8000::/65", "2001:db8:0:0:7fff::", false],
    ["2001:db8:0:0:8000::/65", "2001:db8::8000:0:0:1", true],
    ["::ffff:10.0.0.0/104", "10.1.1.1", true],
    ["::1/128", "0:0:0:0:0:0:0:1", true],
    ["::1", "::2", false],
    ["fe80::/10", "febf:ffff::", true],
    ["fe80::/10", "fec0::", false],
  ])("%s holds %s: %s", (text, address, expected) => {
    expect(inCidr(address, block(text))).toBe(expected);
  });

  it.each([
    ...[
      "",
      "10",
      "10.0.0",
      "10.0.0.256",
      "010.0.0.1",
      "1.2.3.4.5",
      "0x0a.0.0.1",
      "10.0.0.1 ",
      "10.0.0.1/8",
      "localhost",
      "::ffff:10.0.0.01",
    ],
    ...[
      "::1%eth0",
      "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7:8:9",
      "1::2::3",
      ":::",
      "12345::",
      "g::1",
      "[::1]",
      "1.2.3.4::",
      "1:2:3:4:5:6:7::8:9",
      `${"0".repeat(50)}::1`,
    ],
  ])("no block holds %j, which is no address", (address) => {
    expect([inCidr(address, block("::/0")), parseCidr(address.includes("/") ? "x" : address)]).toEqual([false, undefined]);
  });

  it.each([
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0.0/08",
    "10.0.0.0/-1",
    "10.0.0.0/8/8",
    "::/129",
    "/8",
    "10.0.0.0/1e1",
    "10.0.0.0/ 8",
  ])("%j is no block", (text) => {
    expect(parseCidr(text)).toBe(undefined);
  });
});
