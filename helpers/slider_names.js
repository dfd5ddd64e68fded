// ipywidgets' slider handles have no name, and announce a bare number: both are mended from the label
// and the value that are written beside them. In JupyterLab this is a widget, on the site a script.
function nameSliders(root) {
  const write = () => {
    for (const handle of root.querySelectorAll(".noUi-handle")) {
      const slider = handle.closest(".widget-slider");
      const beside = slider.parentElement.querySelector(":scope > .widget-html");
      const name = slider.querySelector(".widget-label")?.textContent.trim();
      const value = [slider.querySelector(".widget-readout"), beside]
        .map((part) => part?.textContent.trim())
        .filter(Boolean)
        .join(" ");
      for (const [key, text] of [["aria-label", name], ["aria-valuetext", value]])
        if (text && handle.getAttribute(key) !== text) handle.setAttribute(key, text);
    }
  };
  const watch = new MutationObserver(write);
  const changes = { childList: true, subtree: true, characterData: true };
  watch.observe(root, { ...changes, attributeFilter: ["aria-valuetext"] });
  write();
  return () => watch.disconnect();
}
