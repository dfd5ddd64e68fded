/** Glorot's uniform start of a 2-units-1 network: for each unit w1, w2, bias, weight out; last the bias out. */
function initial(units, random) {
  const w = new Float64Array(4 * units + 1);
  const [into, out] = [Math.sqrt(6 / (2 + units)), Math.sqrt(6 / (units + 1))];
  for (let j = 0; j < 4 * units; j += 4) {
    for (const k of [0, 1]) w[j + k] = (random() / 2 ** 29 - 1) * into;
    w[j + 3] = (random() / 2 ** 29 - 1) * out;
  }
  return w;
}

/** What the whole network says of a point, before the sigmoid. */
function logit(w, [x1, x2]) {
  const last = w.length - 1;
  let z = w[last];
  for (let j = 0; j < last; j += 4) {
    const sum = w[j] * x1 + w[j + 1] * x2 + w[j + 2];
    if (sum > 0) z += sum * w[j + 3];
  }
  return z;
}

const sigmoid = (z) => 1 / (1 + Math.exp(-z));

/** Mean loss and accuracy of the whole network. */
function evaluate(w, { x, y }) {
  let loss = 0, right = 0;
  x.forEach((point, i) => {
    const z = logit(w, point);
    loss += Math.max(z, 0) - z * y[i] + Math.log1p(Math.exp(-Math.abs(z)));
    right += z > 0 === y[i] > 0.5;
  });
  return { loss: loss / y.length, accuracy: right / y.length };
}

/** Train as Keras does: inverted dropout, Adam, all points in each step. Yields every so many epochs. */
export function* train({ seen, test, rate, seed, epochs, units = 500, every = 50 }) {
  const random = randoms(seed), w = initial(units, random), last = 4 * units, n = seen.y.length;
  const [m, v, g] = [0, 1, 2].map(() => new Float64Array(last + 1));
  const [x1, x2] = [0, 1].map((k) => Float64Array.from(seen.x, (point) => point[k]));
  const d = new Float64Array(n), scale = 1 / (1 - rate), limit = Math.round(rate * 2 ** 30);
  // what survives, without a branch on chance: for unit j the points who[a], where it said h[a], up to ends[j]
  const h = new Float64Array(units * n + 1), who = new Int32Array(units * n + 1), ends = new Int32Array(units);
  function step(epoch) {
    d.fill(w[last]);
    for (let j = 0, a = 0; j < units; ends[j++] = a) {
      const a1 = w[4 * j], a2 = w[4 * j + 1], b = w[4 * j + 2], out = w[4 * j + 3];
      for (let i = 0; i < n; i++) {
        const sum = a1 * x1[i] + a2 * x2[i] + b;
        if (sum <= 0) continue; // relu
        const kept = (limit - 1 - random()) >>> 31; // dropout: 1 if random >= limit, else 0
        who[a] = i;
        h[a] = sum * scale;
        d[i] += kept * h[a] * out;
        a += kept;
      }
    }
    g[last] = 0;
    for (let i = 0; i < n; i++) g[last] += d[i] = (sigmoid(d[i]) - seen.y[i]) / n;
    for (let j = 0, a = 0; j < units; j++) {
      const k = 4 * j, back = w[k + 3] * scale, end = ends[j];
      let g1 = 0, g2 = 0, sum = 0, out = 0;
      for (; a < end; a++) {
        const i = who[a];
        g1 += d[i] * x1[i];
        g2 += d[i] * x2[i];
        sum += d[i];
        out += d[i] * h[a];
      }
      (g[k] = g1 * back), (g[k + 1] = g2 * back), (g[k + 2] = sum * back), (g[k + 3] = out);
    }
    const alpha = (0.001 * Math.sqrt(1 - 0.999 ** epoch)) / (1 - 0.9 ** epoch);
    for (let k = 0; k <= last; k++) {
      m[k] += (g[k] - m[k]) * 0.1;
      v[k] += (g[k] * g[k] - v[k]) * 0.001;
      w[k] -= (alpha * m[k]) / (Math.sqrt(v[k]) + 1e-7);
    }
  }
  for (let epoch = 1; epoch <= epochs; epoch++) {
    step(epoch);
    if (epoch % every === 0 || epoch === epochs) yield { epoch, w, seen: evaluate(w, seen), test: evaluate(w, test) };
  }
}

function render({ model, el }) {
  const given = model.get("given"), { seen, test, epochs, rate } = given;
  const reach = Math.max(...[...seen.x, ...test.x].flat().map(Math.abs)) + 0.3, GRID = 60;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let frame = 0, curves = [];
  const { svgs, say } = panel(el, rate, "Train again", ["0 0 300 300", "0 0 330 300"], start);
  const [plane, chart] = svgs;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = GRID;
  plane.before(canvas);
  plane.setAttribute("aria-label", "What the network says between the points: blue circles, red triangles. Large: it trained on them; small: test points.");
  const place = (value) => 150 + (150 * value) / reach;
  for (const [{ x, y }, r] of [[test, 3], [seen, 5.5]])
    x.forEach(([x1, x2], i) => {
      const look = { stroke: "white", "stroke-width": r / 6, opacity: r > 5 ? 1 : 0.55 };
      const [cx, cy] = [place(x1), place(-x2)];
      if (y[i]) draw(plane, "path", { ...look, fill: RED, d: `M${cx} ${cy - r}l${r} ${2 * r}h${-2 * r}z` });
      else draw(plane, "circle", { ...look, fill: BLUE, cx, cy, r });
    });

  const [left, right, top, bottom, most] = [34, 308, 40, 262, 2.5];
  const at = (epoch, loss) => [left + ((right - left) * epoch) / epochs, bottom - ((bottom - top) * Math.min(loss, most)) / most];
  const coin = at(0, Math.LN2)[1];
  draw(chart, "path", { d: `M${left} ${top}V${bottom}H${right}`, stroke: INK, fill: "none" });
  draw(chart, "path", { d: `M${left} ${coin}H${right}`, stroke: INK, "stroke-dasharray": "1 4" });
  const write = (x, y, text, anchor = "end") => draw(chart, "text", { x, y, "text-anchor": anchor, fill: INK }, text);
  write(right, coin - 4, "coin");
  for (const loss of [0, 1, 2]) write(left - 6, at(0, loss)[1] + 4, loss);
  for (const epoch of [0, epochs / 2, epochs]) write(at(epoch)[0], bottom + 16, epoch.toLocaleString("en"), "middle");
  write((left + right) / 2, bottom + 33, "epoch", "middle");
  write(4, 16, "loss (nats)", "start");
  const looks = { "test": {}, "training": { "stroke-dasharray": "6 4" }, "test, last time": { opacity: 0.4 } };
  const lines = Object.entries(looks).map(([name, look], i) => {
    const x = left + [24, 86, 174][i], line = { ...look, stroke: INK, fill: "none", "stroke-width": 2 };
    draw(chart, "path", { ...line, d: `M${x - 26} 30h22` });
    write(x, 34, name, "start");
    return draw(chart, "path", { ...line, d: "" });
  });

  function show({ w }) {
    const pixels = new ImageData(GRID, GRID);
    for (let k = 0; k < GRID * GRID; k++) {
      const point = [k % GRID, GRID - 1 - Math.floor(k / GRID)].map((i) => ((2 * i + 1) / GRID - 1) * reach);
      const p = sigmoid(logit(w, point)), color = parseInt((p > 0.5 ? RED : BLUE).slice(1), 16);
      pixels.data.set([color >> 16, (color >> 8) & 255, color & 255, 150 * Math.abs(2 * p - 1)], 4 * k);
    }
    canvas.getContext("2d").putImageData(pixels, 0, 0);
    for (const [line, part] of [[lines[0], "test"], [lines[1], "seen"]])
      line.setAttribute("d", `M${curves.map((note) => at(note.epoch, note[part].loss).map((c) => c.toFixed(1))).join("L")}`);
  }

  function start(rate, seed) {
    cancelAnimationFrame(frame);
    if (curves.at(-1)?.epoch === epochs) lines[2].setAttribute("d", lines[0].getAttribute("d"));
    curves = [];
    say(`Training at rate ${rate} …`);
    const steps = train({ ...given, rate, seed });
    (function slice() {
      const until = performance.now() + 12; // milliseconds: the page stays awake
      while (performance.now() < until && curves.at(-1)?.epoch !== epochs) curves.push(steps.next().value);
      const note = curves.at(-1), done = note.epoch === epochs;
      if (done || !still) show(note);
      if (!done) return (frame = requestAnimationFrame(slice));
      const [ours, theirs] = [note.seen, note.test].map(({ accuracy, loss }) => [accuracy.toFixed(2), loss.toFixed(2)]);
      say(`At rate ${rate}: test accuracy ${theirs[0]}, test loss ${theirs[1]}; training accuracy ${ours[0]}. Trained ${epochs.toLocaleString("en")} epochs in your browser.`);
      chart.setAttribute("aria-label", `Loss over ${epochs.toLocaleString("en")} epochs at rate ${rate}: training ends at ${ours[1]}, test at ${theirs[1]}; a coin costs 0.69.`);
    })();
  }
  return () => cancelAnimationFrame(frame);
}

export default { render };
