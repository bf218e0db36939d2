/* Looks at a page as somebody with poor sight, a screen reader or a keyboard would. Out: a list of complaints. */
(() => {
  const complaints = [];
  const visible = (element) => {
    const box = element.getBoundingClientRect();
    return box.width > 1 && box.height > 1 && element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  };
  const who = (element) => `${element.tagName.toLowerCase()}.${element.getAttribute("class") ?? ""} "${element.textContent.trim().slice(0, 40)}"`;

  // Contrast: WCAG 2.2, 1.4.3.
  const parts = (colour) => {
    const numbers = colour.match(/[\d.]+(?:e-?\d+)?%?/g).map(Number);
    const scale = colour.startsWith("color(") ? 255 : 1;
    return { rgb: numbers.slice(0, 3).map((one) => one * scale), alpha: numbers[3] ?? 1 };
  };
  const over = (top, below) => top.rgb.map((one, index) => one * top.alpha + below[index] * (1 - top.alpha));
  const ground = (element) => {
    const layers = [];
    for (let one = element; one; one = one.parentElement) {
      const colour = parts(getComputedStyle(one).backgroundColor);
      if (colour.alpha) layers.push(colour);
      if (colour.alpha === 1) break;
    }
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const luminance = (rgb) => {
    const [red, green, blue] = rgb.map((one) => one / 255).map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (one, other) => {
    const [light, dark] = [luminance(one), luminance(other)].sort((left, right) => right - left);
    return (light + 0.05) / (dark + 0.05);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || seen.has(element) || !visible(element) || element.closest(".unseen, :disabled, title, option, .life-label")) continue;
    seen.add(element);
    const style = getComputedStyle(element);
    const below = ground(element);
    const ink = parts(element instanceof SVGElement ? style.fill : style.color);
    const found = contrast(over(ink, below), below);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (found < (large ? 3 : 4.5)) complaints.push(`contrast ${found.toFixed(2)} of ${who(element)}`);
  }

  // Edges of what can be used: 1.4.11.
  for (const field of document.querySelectorAll("input:not([type=checkbox]), select, button:not(.quiet, :disabled)")) {
    if (!visible(field)) continue;
    const found = contrast(parts(getComputedStyle(field).borderTopColor).rgb, ground(field.parentElement));
    if (found < 3) complaints.push(`edge ${found.toFixed(2)} of ${who(field)}`);
  }

  // Names, labels, structure.
  const name = (element) =>
    element.getAttribute("aria-label") ?? (element.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join("");
  for (const element of document.querySelectorAll("button, a, summary")) {
    if (visible(element) && !(name(element) || element.textContent).trim()) complaints.push(`no name: ${who(element)}`);
  }
  for (const element of document.querySelectorAll("input, select, textarea")) {
    if (!element.labels.length && !name(element)) complaints.push(`no label: ${element.id || element.name}`);
  }
  for (const element of document.querySelectorAll("svg[role=img], [role=region], [role=group], nav, dialog")) {
    if (!name(element).trim()) complaints.push(`no name: ${who(element)}`);
  }
  for (const table of document.querySelectorAll("table")) {
    if (!table.caption?.textContent.trim()) complaints.push("a table without a caption");
    if (table.querySelectorAll("thead th[scope=col]").length !== table.querySelectorAll("thead th").length) complaints.push("a head without a scope");
    if (table.tBodies[0].rows.length && !table.querySelector("tbody th[scope=row]")) complaints.push("rows without heads");
    for (const head of table.querySelectorAll("thead th")) if (!head.textContent.trim()) complaints.push("an empty head");
  }
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) complaints.push(`id twice: ${id}`);
  if (document.querySelectorAll("h1").length !== 1) complaints.push("not exactly one h1");
  if (!document.documentElement.lang) complaints.push("no language");

  // Nothing sticks out of the page.
  if (document.documentElement.scrollWidth > innerWidth) {
    const wide = [...document.querySelectorAll("main *, header *, footer *")].filter((element) => element.getBoundingClientRect().right > innerWidth + 1 && !element.closest(".scroller, .life-scroller, pre"));
    complaints.push(`wider than the screen: ${document.documentElement.scrollWidth}, ${wide.slice(0, 3).map(who).join("; ")}`);
  }

  // What is to be touched is large enough: 2.5.8, 24 by 24, links in a line of text excepted.
  for (const element of document.querySelectorAll("button, select, input, .button, nav a, .tile, .choice")) {
    const box = element.getBoundingClientRect();
    const label = element.labels?.[0]?.getBoundingClientRect();
    if (visible(element) && Math.max(box.height, label?.height ?? 0) < 24 - 0.5) complaints.push(`only ${box.height} high: ${who(element)}`);
  }
  return complaints;
})();
