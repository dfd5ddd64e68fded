// ipywidgets' slider handles have no name, and announce the number of their option: both are mended
// here, in JupyterLab and on the site, from the label and the value that are written beside them.
function nameSliders(root) {
  const write = () => {
    for (const handle of root.querySelectorAll(".noUi-handle")) {
      const slider = handle.closest(".widget-slider");
      const label = slider.querySelector(".widget-label")?.textContent.trim();
      const value = slider.querySelector(".widget-readout")?.textContent.trim();
      for (const [name, text] of [["aria-label", label], ["aria-valuetext", value]])
        if (text && handle.getAttribute(name) !== text) handle.setAttribute(name, text);
    }
  };
  const watch = new MutationObserver(write);
  const changes = { childList: true, subtree: true, characterData: true };
  watch.observe(root, { ...changes, attributeFilter: ["aria-valuenow", "aria-valuetext"] });
  write();
  return () => watch.disconnect();
}
