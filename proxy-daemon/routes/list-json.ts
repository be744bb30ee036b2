/** Lists as JSON, each member written once: it never changes, and with many routes they are most of what is written of a table. Pure. */

const texts = new WeakMap<object, string>();

/** The JSON of a list of what is never changed in place, in parts. None is put together anew: of long lists that would be megabytes of garbage. */
export function* listJson(list: readonly object[]): Generator<string> {
  let before = '[';
  for (const member of list) {
    yield before;
    yield jsonOf(member);
    before = ',';
  }
  yield list.length === 0 ? '[]' : ']';
}

function jsonOf(member: object): string {
  const known = texts.get(member);
  if (known !== undefined) return known;
  const text = JSON.stringify(member);
  texts.set(member, text);
  return text;
}
