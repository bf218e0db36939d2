/* Makes elements. In: names, attributes, children. Out: nodes. Text becomes text nodes and nothing else: whatever a
   payload says, it is never read as markup. */

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element. `attributes.on` maps events to listeners; null, undefined and false children are left out. */
export function h(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** An SVG element. */
export function s(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

/** Replace all children. */
export function replace(parent, ...children) {
  parent.replaceChildren(...nodes(children));
  return parent;
}

/** Set a text only if it is another one: nothing is announced or laid out again for nothing. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Set several attributes; null and false remove, true is an empty value. */
export function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (/^(on|style$|srcdoc$)/i.test(name)) throw new Error(`no attribute ${name} from here`);
    if (value === null || value === undefined || value === false) element.removeAttribute(name);
    else {
      const text = value === true ? "" : String(value);
      if (name === "href" && !/^(#|\.\.?\/|https?:)/.test(text)) throw new Error("no such address in a link");
      if (element.getAttribute(name) !== text) element.setAttribute(name, text);
    }
  }
  return element;
}

function fill(element, { on = {}, ...attributes }, children) {
  set(element, attributes);
  for (const [event, listener] of Object.entries(on)) element.addEventListener(event, listener);
  element.append(...nodes(children));
  return element;
}

function nodes(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}

let numbered = 0;

/** An id that no other element of the page has. */
export function freshId(stem) {
  numbered += 1;
  return `${stem}-${numbered}`;
}
