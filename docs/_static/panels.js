// Recorded panels: a picture with its sentence, until the widgets that ipywidgets saved take its place.
const recordedPanels = {};
const here = new URL(".", document.currentScript.src);

function load(path) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    Object.assign(script, { src: new URL(path, here), onload: resolve, onerror: reject });
    document.head.append(script);
  });
}

function script(kind, content) {
  const element = document.createElement("script");
  element.type = `application/vnd.jupyter.widget-${kind}+json`;
  element.textContent = JSON.stringify(content);
  return element;
}

let awake = false;
async function wake(figures) {
  if (awake) return;
  awake = true;
  if (document.readyState !== "complete") await new Promise((go) => addEventListener("load", go));
  await Promise.all(figures.map((figure) => load(`panels/${figure.dataset.panel}.js`)));
  for (const figure of figures) {
    const { state, view } = recordedPanels[figure.dataset.panel];
    const place = document.createElement("div");
    place.append(script("state", state), script("view", view));
    figure.prepend(place);
    nameSliders(place);
    new MutationObserver((_, watch) => {
      const shown = place.querySelector(".widget-vbox > .widget-box:last-child");
      if (!shown?.querySelector("img")) return;
      watch.disconnect();
      shown.setAttribute("aria-live", "polite"); // the sentence is read out when it changes
      for (const label of place.querySelectorAll("[title=null]")) label.removeAttribute("title");
      figure.querySelector(".still").remove();
    }).observe(place, { childList: true, subtree: true });
  }
  if (window.MathJax) MathJax.Hub ??= { Queue() {} }; // ipywidgets asks for MathJax 2
  await load("html-manager/embed.js");
  window.dispatchEvent(new Event("load")); // which embed.js waits for
}

document.addEventListener("DOMContentLoaded", () => {
  const figures = [...document.querySelectorAll("figure.recorded")];
  const near = new IntersectionObserver(
    (entries) => entries.some((entry) => entry.isIntersecting) && wake(figures),
    { rootMargin: "100%" },
  );
  for (const figure of figures) near.observe(figure);
});

// paper is white
const theme = document.documentElement.dataset;
let onScreen;
addEventListener("beforeprint", () => ([onScreen, theme.theme] = [theme.theme, "light"]));
addEventListener("afterprint", () => (theme.theme = onScreen));
