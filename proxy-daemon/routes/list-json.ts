/** Lists as JSON, each member written once: it never changes, and with many routes they are most of what is written of a table. Pure. */

const texts = new WeakMap<object, string>();
/** Members in one part. */
const perPart = 100;

/** The JSON of a list of what is never changed in place, in parts. */
export function* listJson(list: readonly object[]): Generator<string> {
  yield '[';
  for (let at = 0; at < list.length; at += perPart) {
    const part = list.slice(at, at + perPart).map(jsonOf);
    yield `${at === 0 ? '' : ','}${part.join(',')}`;
  }
  yield ']';
}

function jsonOf(member: object): string {
  const known = texts.get(member);
  if (known !== undefined) return known;
  const text = JSON.stringify(member);
  texts.set(member, text);
  return text;
}
