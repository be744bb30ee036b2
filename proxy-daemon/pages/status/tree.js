// What is shown, as a tree of elements: written as HTML by the daemon, made into elements by the page. Text is only ever text.

export function h(tag, attributes, ...children) {
  return { tag, attributes: attributes ?? {}, children: children.flat().filter((one) => one !== '' && one !== null) };
}

const escapes = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const lonely = ['input', 'link', 'meta'];

function escaped(text) {
  return String(text).replace(/[&<>"']/g, (found) => escapes[found]);
}

export function toHtml(node) {
  if (typeof node !== 'object') return escaped(node);
  const { tag, attributes, children } = node;
  const words = Object.entries(attributes).map(([name, value]) => ` ${name}="${escaped(value)}"`);
  const open = `<${tag}${words.join('')}>`;
  return lonely.includes(tag) ? open : `${open}${children.map(toHtml).join('')}</${tag}>`;
}
