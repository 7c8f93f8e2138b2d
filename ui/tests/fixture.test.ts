import { cleanup, configure, render, screen, waitFor } from "@testing-library/svelte";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import App from "../src/App.svelte";
import { open } from "../src/api/client";
import { byFixture } from "../src/api/fixture";
import { arrive } from "../src/state/route.svelte";

configure({ asyncUtilTimeout: 5000 });

let stop = (): void => {};
beforeEach(() => {
  vi.stubGlobal("ResizeObserver", class { observe() {} unobserve() {} disconnect() {} });
  Element.prototype.scrollTo = () => {};
  Element.prototype.scrollIntoView = () => {};
  HTMLDialogElement.prototype.showModal = function () { this.open = true; };
  HTMLDialogElement.prototype.close = function () { this.open = false; };
  // What the window freezes, the tools of a test still alter.
  vi.spyOn(Object, "freeze").mockImplementation((it: unknown) => it as never);
  stop = open(byFixture());
});
afterEach(() => { cleanup(); stop(); vi.restoreAllMocks(); vi.unstubAllGlobals(); });

for (const [page, words] of [
  ["activity", "1,207 deliveries"], ["activity?subject=1047", "2 things happened; everybody was told."], ["activity?subject=1047&as=story", "Booking changed"], ["activity/dlv_1", "Same booking, person or article"],
  ["webhooks", "Tablet at the door"], ["webhooks/whk_3", "Last calls"], ["webhooks/whk_3?show=settings", "X-Api-Key"], ["webhooks/whk_3?show=secret", "Made 203 days ago."], ["needs-you", "Solved lately"],
] as const) {
  test(`the business that never was can be looked at: ${page}`, async () => {
    history.replaceState(null, "", `#/${page}`);
    arrive();
    render(App);
    await waitFor(() => expect(document.body.textContent).toContain(words));
    expect(screen.queryByRole("alert")?.textContent ?? "").toBe("");
  });
}
