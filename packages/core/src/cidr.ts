/**
 * IP addresses and CIDR blocks (RFC 4632, RFC 4291), as four 32-bit words. An IPv4 address is held as the IPv4-mapped
 * IPv6 address (`::ffff:a.b.c.d`), so that a proxy's way of writing it makes no difference.
 */
export interface Cidr {
  readonly words: Address;
  /** Length of the common prefix in bits of the 128. */
  readonly bits: number;
}

export type Address = readonly [number, number, number, number];

/** The block of `10.0.0.0/8`, `2001:db8::/32` or a single address; `undefined` when it is neither. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf("/");
  const address = slash === -1 ? text : text.slice(0, slash);
  const words = parseAddress(address);
  if (words === undefined) return undefined;
  if (slash === -1) return { words, bits: 128 };
  const bitsText = text.slice(slash + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(bitsText)) return undefined;
  const isFour = !address.includes(":");
  const bits = Number(bitsText);
  return bits > (isFour ? 32 : 128) ? undefined : { words, bits: isFour ? bits + 96 : bits };
}

/** Does the address written in `text` lie in the block? A text that is no address lies in none. */
export function inCidr(text: string, cidr: Cidr): boolean {
  const words = parseAddress(text);
  if (words === undefined) return false;
  let bits = cidr.bits;
  for (let i = 0; i < 4 && bits > 0; i++, bits -= 32) {
    const differing = (words[i] ?? 0) ^ (cidr.words[i] ?? 0);
    if (differing !== 0 && (bits >= 32 || differing >>> (32 - bits) !== 0)) return false;
  }
  return true;
}

function parseAddress(text: string): Address | undefined {
  if (text.length > 45) return undefined;
  if (text.includes(":")) return parseSix(text);
  const four = parseFour(text);
  return four === undefined ? undefined : [0, 0, 0xffff, four];
}

function parseFour(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  let word = 0;
  for (let i = 1; i <= 4; i++) {
    const part = match[i] ?? "";
    // A leading zero means octal to some readers and decimal to others: refused.
    if (Number(part) > 255 || (part.length > 1 && part.startsWith("0"))) return undefined;
    word = (word << 8) | Number(part);
  }
  return word;
}

function parseSix(text: string): Address | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = groupsOf(halves[0] ?? "", halves.length === 1);
  const tail = halves.length === 2 ? groupsOf(halves[1] ?? "", true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  const word = (i: number): number => ((groups[2 * i] ?? 0) << 16) | (groups[2 * i + 1] ?? 0);
  return [word(0), word(1), word(2), word(3)];
}

/** The 16-bit groups of one side of `::`; the last group of an address may be a dotted IPv4 address. */
function groupsOf(side: string, mayEndInFour: boolean): number[] | undefined {
  if (side === "") return [];
  const texts = side.split(":");
  const groups: number[] = [];
  for (const [i, text] of texts.entries()) {
    if (/^[0-9A-Fa-f]{1,4}$/.test(text)) {
      groups.push(Number.parseInt(text, 16));
      continue;
    }
    const four = mayEndInFour && i === texts.length - 1 ? parseFour(text) : undefined;
    if (four === undefined) return undefined;
    groups.push(four >>> 16, four & 0xffff);
  }
  return groups;
}
