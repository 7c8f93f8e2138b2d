import "./i18n/locale";
import "@fontsource-variable/inter/opsz.css";
import "./styles/tokens.css";
import "./styles/app.css";
import { mount } from "svelte";
import { open, ready, wayIn } from "./api/client";
import App from "./App.svelte";

const dark = matchMedia("(prefers-color-scheme: dark)");
const contrast = matchMedia("(prefers-contrast: more)");
function dress(): void {
  const root = document.documentElement;
  root.dataset.theme = dark.matches ? "dark" : "light";
  root.dataset.contrast = contrast.matches ? "more" : "normal";
}
dress();
dark.addEventListener("change", dress);
contrast.addEventListener("change", dress);

open(await wayIn());
const target = document.getElementById("app");
if (target) mount(App, { target });
// A window that is not shown yet paints no frames: a moment is as good as two of them.
await Promise.race([
  new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted))),
  new Promise((later) => setTimeout(later, 250)),
]);
ready();
