// What the panels that compute in the page share: numbers by chance, drawing, controls.
const BLUE = "#0072B2", RED = "#D55E00", INK = "currentColor";
const STYLE = `
.live { color: var(--pst-color-text-base, var(--jp-content-font-color1, inherit)); font-size: 1rem; line-height: 1.5; }
.live .controls, .live .plots { display: flex; flex-wrap: wrap; gap: 0.3rem 1rem; align-items: center; }
.live input { flex: 1 1 8rem; max-width: 16rem; min-width: 0; accent-color: ${BLUE}; }
.live button { font: inherit; padding: 0.2rem 1rem; }
.live .said { margin: 0.5rem 0; min-height: 3em; }
.live .plots > * { flex: 1 1 15rem; max-width: 25rem; min-width: 0; position: relative; }
.live svg { display: block; width: 100%; height: auto; position: relative; font-family: inherit; }
.live canvas { position: absolute; inset: 0; width: 100%; height: 100%; }`;

/** Whole numbers of 30 random bits (browsers are fast with those), the same for the same seed (mulberry32). */
function randoms(seed) {
  const state = Int32Array.of(seed);
  return () => {
    const s = (state[0] += 0x6d2b79f5);
    let t = Math.imul(s ^ (s >>> 15), s | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 2;
  };
}

/** An element of an SVG picture, inside another one. */
function draw(parent, name, attributes, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  return parent.appendChild(element);
}

/** A slider for the rate, a button, a line that is read out, and places for pictures. */
function panel(el, rate, press, pictures, changed) {
  el.innerHTML = `<style>${STYLE}</style><div class="live"><div class="controls"><label>Keras rate</label>
    <input type="range" min="0" max="0.9" step="0.05" aria-label="Keras rate"><span></span>
    <button type="button">${press}</button></div><p class="said" role="status" aria-live="polite"></p>
    <div class="plots"></div></div>`;
  const [slider, beside, button, said, plots] = ["input", "span", "button", ".said", ".plots"].map(
    (part) => el.querySelector(part),
  );
  let draws = 0;
  const follow = () => {
    const [r, p] = [+slider.value, +(1 - slider.value).toFixed(2)];
    beside.textContent = `${r.toFixed(2)} = the paper's p ${p.toFixed(2)}`;
    slider.setAttribute("aria-valuetext", `rate ${r}, p ${p}`);
    changed(r, draws);
  };
  slider.value = rate;
  slider.oninput = follow;
  button.onclick = () => follow(draws++);
  const svgs = pictures.map((box) => {
    const place = plots.appendChild(document.createElement("div"));
    return draw(place, "svg", { viewBox: box, role: "img", "aria-label": "Not drawn yet.", "font-size": 12 });
  });
  const say = (text) => (said.textContent = text);
  new IntersectionObserver(([seen], watch) => {
    if (!seen.isIntersecting) return;
    watch.disconnect();
    follow();
  }).observe(el);
  return { svgs, say };
}
