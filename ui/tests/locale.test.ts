import { expect, test, vi } from "vitest";

test("a window that calls its language C still tells the time", async () => {
  vi.stubGlobal("navigator", Object.create(navigator, { language: { value: "C", configurable: true }, languages: { value: ["C"], configurable: true } }));
  await import("../src/i18n/locale");
  expect(navigator.language).toBe("en-GB");
  const { sayTimesOf, clock, day } = await import("../src/i18n/say");
  sayTimesOf("Europe/Berlin");
  expect(clock("2026-11-24T14:02:31.000Z")).toBe("15:02:31");
  expect(day("2026-11-26")).toBe("Thu 26 Nov");
});
