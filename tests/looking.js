// Measures what a person sees of a page. It is evaluated in the page, by looking.py.
() => {
  const INTERACTIVE =
    "a[href], button, input, textarea, select, [role=button], [role=tab], [role=slider], [tabindex]:not([tabindex='-1'])";
  const LABELS = "label > span, .label-wrap > span, [data-testid=block-label], h1, h1 + p, th, legend";
  // They lie on top of a picture, or of where one is dropped, and leave most of it free.
  const FLOATING = ".icon-button-wrapper, [data-testid=block-label], .source-selection";
  const SURFACE = ".upload-container, .image-container, .image-frame, .half-wrap, .video-container, .wave-container";
  const TOAST = ".toast-wrap"; // in front of all, until it is closed
  const SLACK = 2; // pixels

  const floats = (one, other) => one.closest(FLOATING) && other.closest(SURFACE) && !other.closest(FLOATING);

  // What can be seen of it: its parents may cut it off, or scroll.
  const seen = (one) => {
    const whole = one.getBoundingClientRect();
    const box = { left: whole.left, top: whole.top, right: whole.right, bottom: whole.bottom };
    for (let up = one.parentElement; up; up = up.parentElement) {
      if (getComputedStyle(up).overflow === "visible" || up === document.body) continue;
      const outer = up.getBoundingClientRect();
      box.left = Math.max(box.left, outer.left);
      box.top = Math.max(box.top, outer.top);
      box.right = Math.min(box.right, outer.right);
      box.bottom = Math.min(box.bottom, outer.bottom);
    }
    return box;
  };
  const visible = (one) => {
    const box = seen(one);
    if (box.right - box.left < 2 || box.bottom - box.top < 2) return false;
    for (let up = one; up; up = up.parentElement) {
      const style = getComputedStyle(up);
      if (style.visibility === "hidden" || style.display === "none" || +style.opacity === 0) return false;
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
        if (!one.closest(TOAST) !== !other.closest(TOAST)) continue;
        if (floats(one, other) || floats(other, one)) continue;
        if (one.closest("label") && one.closest("label") === other.closest("label")) continue;
        const a = seen(one), b = seen(other);
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

  let stops = [], nowhere = 0;
  const start = () => {
    stops = [];
    nowhere = 0;
    const first = document.createElement("a");
    first.tabIndex = 0;
    document.body.prepend(first);
    first.focus();
    first.remove(); // the Tab key goes on from here
  };
  const focused = () => {
    const one = document.activeElement;
    if (!one || one === document.body) return ++nowhere < 2; // once, as an open list closes
    nowhere = 0;
    if (stops.length > 1 && one === stops[0].one) return false;
    if (stops.some((each) => each.one === one)) return true; // its list was open
    const box = one.getBoundingClientRect();
    const top = box.top + window.scrollY;
    stops.push({ one, left: box.left, right: box.right, top, bottom: top + box.height });
    return true;
  };
  const order = () => {
    const flaws = [];
    stops.slice(1).forEach((now, place) => {
      const before = stops[place];
      // Gradio's own: the small buttons on top of what they concern, and the footer
      if ([now, before].some((each) => each.one.closest(".icon-button-wrapper, .controls, footer"))) return;
      const above = now.bottom <= before.top + SLACK && now.left < before.right - SLACK;
      const back = now.right <= before.left + SLACK && now.top < before.bottom - SLACK && now.bottom > before.top + SLACK;
      if (above || back)
        flaws.push(["focus-order", `${name(before.one)} then ${name(now.one)}`, `${path(before.one)} / ${path(now.one)}`]);
    });
    for (const one of all("a[href], button, input, textarea, select")) {
      if (one.disabled || one.type === "file" || one.type === "radio") continue;
      if (!stops.some((each) => each.one === one || each.one.contains(one)))
        flaws.push(["not-reached", name(one), `${path(one)} tabindex=${one.getAttribute("tabindex")}`]);
    }
    return flaws;
  };

  window.looking = { layout, start, focused, order };
}
