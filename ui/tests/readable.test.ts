import { expect, test } from "vitest";
import { laidOut, pieces } from "../src/components/readable";
import { moment, sayTimesOf } from "../src/i18n/say";

test("a body is laid out without one of its tokens being changed", () => {
  expect(laidOut('{"b":1e2, "a":12345678901234567890,"c":[],"d":{"e":[1,"x, {y}: \\"z\\""]}}')).toBe(
    '{\n  "b": 1e2,\n  "a": 12345678901234567890,\n  "c": [],\n  "d": {\n    "e": [\n      1,\n      "x, {y}: \\"z\\""\n    ]\n  }\n}',
  );
});

test("what is no JSON is shown as it came", () => {
  expect(laidOut("<h1>Internal error</h1>")).toBe("<h1>Internal error</h1>");
});

test("nothing in a body stays hidden", () => {
  expect(pieces("a\u202eb\u0000c\ufeff").map((piece) => `${piece.kind}:${piece.text}`)).toEqual(["plain:a", "odd:U+202E", "plain:b", "odd:U+0000", "plain:c", "odd:U+FEFF"]);
});

test("a time that is typed is a time in the workspace, on both sides of a change of the clocks", () => {
  sayTimesOf("Europe/Berlin");
  expect(moment("2026-11-26T09:30")).toBe("2026-11-26T09:30:00+01:00");
  expect(moment("2026-07-01T09:30")).toBe("2026-07-01T09:30:00+02:00");
  expect(moment("2026-10-25T09:30")).toBe("2026-10-25T09:30:00+01:00");
  expect(moment("2026-11-26T09:30", "America/New_York")).toBe("2026-11-26T09:30:00-05:00");
  expect(moment("2026-11-26T09:30", "Nowhere/Atall")).toBe("2026-11-26T09:30:00");
});
