import { describe, expect, it } from "vitest";
import { csvRows } from "./csv.ts";

const rows = (...pieces: string[]): string[][] => [...csvRows(pieces)];

describe("csvRows", () => {
  it.each([
    [
      "plain",
      "a,b\nc,d\n",
      [
        ["a", "b"],
        ["c", "d"],
      ],
    ],
    [
      "CRLF and no line end at the end",
      "a,b\r\nc,d",
      [
        ["a", "b"],
        ["c", "d"],
      ],
    ],
    [
      "empty fields",
      ",\n,,x\n",
      [
        ["", ""],
        ["", "", "x"],
      ],
    ],
    ["a comma and a line end in quotes", '"a,b","c\r\nd"\n', [["a,b", "c\r\nd"]]],
    ["doubled quotes", '"say ""hi""",2\n', [['say "hi"', "2"]]],
    ["an empty field in quotes", '"",x\n', [["", "x"]]],
    ["JSON in a field", '1,"{""a"":[1,2]}"\n', [["1", '{"a":[1,2]}']]],
    ["blank lines", "a\n\n\nb\n", [["a"], ["b"]]],
  ])("reads %s", (_, text, expected) => {
    expect(rows(text)).toEqual(expected);
  });

  it("reads the same rows wherever the text is cut", () => {
    const text = 'id,"a ""b"", c"\r\n1,"x\ny"\r\n';
    const whole = rows(text);
    expect(whole).toEqual([
      ["id", 'a "b", c'],
      ["1", "x\ny"],
    ]);
    for (let cut = 0; cut <= text.length; cut += 1) expect(rows(text.slice(0, cut), text.slice(cut))).toEqual(whole);
  });
});
