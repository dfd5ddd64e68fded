/** What the next unit receives under many masks, and the first of the masks. */
export function sums({ says, rate, seed, draws = 2000 }) {
  const random = randoms(seed), limit = rate * 2 ** 30;
  const masks = Array.from({ length: draws }, () => says.map(() => random() >= limit));
  const received = masks.map((mask) => says.reduce((sum, h, i) => sum + (mask[i] ? h / (1 - rate) : 0), 0));
  return { received, first: masks[0] };
}

function render({ model, el }) {
  const { says, rate } = model.get("given"), total = says.reduce((a, b) => a + b), BINS = 40;
  const boxes = ["0 0 300 250", "0 0 330 250"];
  const { svgs, say } = panel(el, rate, "Draw new masks", boxes, show);
  const [network, histogram] = svgs;
  const column = (x, count) => Array.from({ length: count }, (_, i) => [x, 125 + 38 * (i - (count - 1) / 2)]);
  const [inputs, hidden, [output]] = [column(30, 3), column(150, says.length), column(270, 1)];
  const [left, right, top, bottom] = [42, 308, 20, 200], width = (right - left) / BINS;

  function unit([x, y], kept, label) {
    const look = kept ? { fill: BLUE } : { fill: "none", "stroke-dasharray": "3 3", opacity: 0.6 };
    draw(network, "circle", { cx: x, cy: y, r: 16, stroke: INK, ...look });
    draw(network, "text", { x, y: y + 4, "text-anchor": "middle", fill: kept ? "white" : INK }, label);
  }

  function show(rate, seed) {
    const { received, first } = sums({ says, rate, seed: seed + 1 });
    const factor = (1 / (1 - rate)).toFixed(2), mean = received.reduce((a, b) => a + b) / received.length;
    const variance = received.reduce((sum, value) => sum + (value - mean) ** 2, 0) / received.length;
    const theory = (says.reduce((sum, h) => sum + h * h, 0) * rate) / (1 - rate);
    network.replaceChildren();
    histogram.replaceChildren();
    hidden.forEach(([x, y], i) => {
      const look = { stroke: INK, opacity: first[i] ? 0.7 : 0.12 };
      for (const [from, to] of [...inputs, output])
        draw(network, "path", { ...look, d: `M${from} ${to}L${x} ${y}` });
    });
    for (const at of [...inputs, output]) unit(at, true, "");
    hidden.forEach((at, i) => unit(at, first[i], first[i] ? `×${+factor}` : "×0"));
    const bins = new Array(BINS).fill(0), most = 4 * total;
    for (const value of received) if (value < most) bins[Math.floor((BINS * value) / most)]++;
    const high = Math.max(...bins), write = (x, y, text, anchor) =>
      draw(histogram, "text", { x, y, "text-anchor": anchor, fill: INK }, text);
    bins.forEach((count, i) => {
      const height = ((bottom - top) * count) / high;
      draw(histogram, "rect", { x: left + i * width, y: bottom - height, width: width - 1, height, fill: "#56B4E9" });
    });
    const x = left + (right - left) / 4;
    draw(histogram, "path", { d: `M${left} ${top}V${bottom}H${right}M${x} ${bottom}V${top}`, stroke: INK, fill: "none" });
    for (const share of [0, 1, 2, 3, 4]) write(left + ((right - left) * share) / 4, bottom + 16, (share * total).toFixed(1), "middle");
    write((left + right) / 2, bottom + 34, "what the output unit receives", "middle");
    write(x + 5, top + 10, "mean in theory", "start");
    write(left - 5, top + 4, high, "end");
    write(4, 10, `masks (of ${received.length.toLocaleString("en")})`, "start");
    const kept = first.filter(Boolean).length;
    network.setAttribute("aria-label", `A network whose ${says.length} hidden units have a mask: ${kept} kept, each times ${factor}.`);
    histogram.setAttribute("aria-label", `Histogram of what the output unit receives: mean ${mean.toFixed(2)}, variance ${variance.toFixed(2)}.`);
    say(`At rate ${rate}: ${kept} of ${says.length} units kept, each × ${factor}. Mean: in theory ${total.toFixed(2)}, sampled ${mean.toFixed(2)}. Variance: in theory ${theory.toFixed(2)}, sampled ${variance.toFixed(2)}.`);
  }
}

export default { render };
