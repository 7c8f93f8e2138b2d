import "./i18n/locale";
import "@fontsource-variable/inter/opsz.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/parts.css";
import { mount } from "svelte";
import { open, ready, wayIn } from "./api/client";
import App from "./App.svelte";
import { fetched } from "./pages";
import { pageOf } from "./state/route.svelte";

// A build of its own shows every screen without an engine; nothing of it is in the product.
// The first screen is fetched while the way to the engine is found.
const first = fetched(pageOf()).catch(() => {});
open(import.meta.env.MODE === "fixture" ? (await import("./api/fixture")).byFixture() : await wayIn());
await first;
const target = document.getElementById("app");
if (target) mount(App, { target });
// A window that is not shown yet paints no frames: a moment is as good as two of them.
await Promise.race([
  new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted))),
  new Promise((later) => setTimeout(later, 250)),
]);
ready();
