// Makes elements what a tree says, and changes only what differs: what is open, focused or selected stays so.
const svgSpace = 'http://www.w3.org/2000/svg';
/** What readers change themselves. */
const theirs = ['open', 'hidden'];

function make(node, space) {
  if (typeof node !== 'object') return document.createTextNode(String(node));
  const own = node.tag === 'svg' ? svgSpace : space;
  const made = own ? document.createElementNS(own, node.tag) : document.createElement(node.tag);
  for (const [name, value] of Object.entries(node.attributes)) made.setAttribute(name, value);
  made.append(...node.children.map((child) => make(child, own)));
  return made;
}

function isSame(there, node) {
  if (typeof node !== 'object') return there.nodeType === Node.TEXT_NODE;
  return (
    there.nodeType === Node.ELEMENT_NODE &&
    there.localName === node.tag &&
    (there.id || '') === (node.attributes.id ?? '')
  );
}

function change(there, node, space) {
  if (typeof node !== 'object') {
    if (there.data !== String(node)) there.data = String(node);
    return;
  }
  for (const [name, value] of Object.entries(node.attributes)) {
    if (there.getAttribute(name) !== String(value)) there.setAttribute(name, value);
  }
  for (const { name } of [...there.attributes]) {
    if (!(name in node.attributes) && !theirs.includes(name)) there.removeAttribute(name);
  }
  fill(there, node.children, node.tag === 'svg' ? svgSpace : space);
}

/** Makes the children of an element what `nodes` say. */
export function fill(element, nodes, space = null) {
  nodes.forEach((node, at) => {
    const there = element.childNodes[at];
    if (there === undefined) element.append(make(node, space));
    else if (isSame(there, node)) change(there, node, space);
    else there.replaceWith(make(node, space));
  });
  while (element.childNodes.length > nodes.length) element.lastChild.remove();
}
