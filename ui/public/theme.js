// Runs before the first paint, so that a dark desktop never sees a white flash.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const contrast = matchMedia("(prefers-contrast: more)");
  const dress = () => {
    root.dataset.theme = dark.matches ? "dark" : "light";
    root.dataset.contrast = contrast.matches ? "more" : "normal";
  };
  dress();
  dark.addEventListener("change", dress);
  contrast.addEventListener("change", dress);
})();
