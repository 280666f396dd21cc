// Measures what a person sees of a page. It is evaluated in the page, by looking.py.
() => {
  const INTERACTIVE =
    "a[href], button, input, textarea, select, [role=button], [role=tab], [role=slider], [tabindex]:not([tabindex='-1'])";
  const LABELS = "label > span, .label-wrap > span, [data-testid=block-label], h1, h1 + p, th, legend";
  // They lie on top of a picture, or of where one is dropped, and leave most of it free.
  const FLOATING = ".icon-button-wrapper, [data-testid=block-label], .source-selection";
  const SURFACE = ".upload-container, .image-container, .image-frame, .half-wrap, .video-container, .wave-container";
  const SLACK = 2; // pixels

  const floats = (one, other) => one.closest(FLOATING) && other.closest(SURFACE) && !other.closest(FLOATING);

  const visible = (one) => {
    const box = one.getBoundingClientRect();
    if (box.width < 2 || box.height < 2) return false;
    for (let up = one; up; up = up.parentElement) {
      const style = getComputedStyle(up);
      if (style.visibility === "hidden" || style.display === "none" || +style.opacity === 0) return false;
      if (up !== one && style.overflow !== "visible") {
        // only what its parents let be seen
        const outer = up.getBoundingClientRect();
        if (box.right <= outer.left || box.left >= outer.right || box.bottom <= outer.top || box.top >= outer.bottom)
          return false;
      }
    }
    return true;
  };
  const all = (selector) => [...document.querySelectorAll(selector)].filter(visible);
  const name = (one) => {
    const said = one.getAttribute("aria-label") || one.innerText || one.value || one.placeholder || "";
    const classes = [...one.classList].filter((each) => !each.startsWith("svelte-")).slice(0, 3);
    return `${one.tagName.toLowerCase()}${classes.map((each) => "." + each).join("")} "${said.trim().slice(0, 40)}"`;
  };
  const shown = (box) => [box.left, box.top, box.right, box.bottom].map(Math.round).join(",");
  const path = (one) => {
    const parts = [];
    for (let up = one; up && parts.length < 5; up = up.parentElement)
      parts.unshift(up.tagName.toLowerCase() + [...up.classList].filter((c) => !c.startsWith("svelte-")).slice(0, 2).map((c) => "." + c).join(""));
    return parts.join(" > ");
  };

  const layout = () => {
    const flaws = [];
    const root = document.scrollingElement;
    if (root.scrollWidth > window.innerWidth)
      flaws.push(["scrolls-sideways", "html", `${root.scrollWidth} > ${window.innerWidth}`]);
    const things = [...new Set([...all(INTERACTIVE), ...all(LABELS)])];
    for (const [place, one] of things.entries()) {
      for (const other of things.slice(place + 1)) {
        if (one.contains(other) || other.contains(one)) continue;
        if (floats(one, other) || floats(other, one)) continue;
        if (one.closest("label") && one.closest("label") === other.closest("label")) continue;
        const a = one.getBoundingClientRect(), b = other.getBoundingClientRect();
        const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (wide > SLACK && high > SLACK)
          flaws.push(["overlaps", `${name(one)} / ${name(other)}`, `${path(one)} [${shown(a)}] / ${path(other)} [${shown(b)}]`]);
      }
    }
    for (const one of all(`${LABELS}, button, .label-wrap`)) {
      const style = getComputedStyle(one);
      const cut = one.scrollWidth - one.clientWidth;
      if (style.display !== "inline" && cut > SLACK && style.overflowX !== "visible")
        flaws.push(["cut-off", name(one), `${one.scrollWidth} > ${one.clientWidth} ${path(one)}`]);
      const box = one.getBoundingClientRect();
      if (!one.closest(".table-wrap, table, .scroll-hide") && (box.left < -SLACK || box.right > window.innerWidth + SLACK))
        flaws.push(["outside", name(one), `${shown(box)} ${path(one)}`]);
    }
    return flaws;
  };

  let seen = [];
  const start = () => {
    seen = [];
    const first = document.createElement("a");
    first.tabIndex = 0;
    document.body.prepend(first);
    first.focus();
    first.remove(); // the Tab key goes on from here
  };
  const focused = () => {
    const one = document.activeElement;
    if (!one || one === document.body || seen.some((each) => each.one === one)) return false;
    const box = one.getBoundingClientRect();
    const top = box.top + window.scrollY;
    seen.push({ one, left: box.left, right: box.right, top, bottom: top + box.height });
    return true;
  };
  const order = () => {
    const flaws = [];
    seen.slice(1).forEach((now, place) => {
      const before = seen[place];
      if (now.one.closest("footer") || before.one.closest("footer")) return;
      const above = now.bottom <= before.top + SLACK && now.left < before.right - SLACK;
      const back = now.right <= before.left + SLACK && now.top < before.bottom - SLACK && now.bottom > before.top + SLACK;
      if (above || back)
        flaws.push(["focus-order", `${name(before.one)} then ${name(now.one)}`, `${path(before.one)} / ${path(now.one)}`]);
    });
    for (const one of all("a[href], button, input, textarea, select")) {
      if (one.disabled || one.type === "file" || one.type === "radio") continue;
      if (!seen.some((each) => each.one === one || each.one.contains(one)))
        flaws.push(["not-reached", name(one), `${path(one)} tabindex=${one.getAttribute("tabindex")}`]);
    }
    return flaws;
  };

  window.looking = { layout, start, focused, order };
}
