/** Bytes of a declared file to text, with the guards that come before any parsing. */
import { type Place, type Problem, placeAt, sourceText } from './problems.ts';

/** Largest file accepted, in bytes. */
const largestFile = 1_000_000;

// Tab, newline and carriage return are the control characters a YAML file may hold.
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose
const controlCharacter = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/;

/** The text, or what is wrong with the bytes: too many, not UTF-8, control characters. A byte order mark is dropped. */
export function decodeText(file: string, bytes: Uint8Array): { text: string } | { problem: Problem } {
  if (bytes.length > largestFile) {
    const nowhere: Place = { file, line: 1, column: 1, source: '', caret: 0, width: 1 };
    const message = `the file has ${bytes.length} bytes; the most accepted is ${largestFile}`;
    return { problem: { ...nowhere, message } };
  }
  const text = new TextDecoder().decode(bytes);
  const broken = firstBrokenCharacter(bytes, text);
  if (broken >= 0) return { problem: problemAt(file, text, broken, 'the file is not UTF-8: broken character') };
  const control = controlCharacter.exec(text);
  if (control) {
    const code = control[0].charCodeAt(0).toString(16).padStart(4, '0').toUpperCase();
    return { problem: problemAt(file, text, control.index, `control character U+${code}`) };
  }
  return { text };
}

function problemAt(file: string, text: string, offset: number, message: string): Problem {
  return { ...placeAt(sourceText(file, text), offset), message };
}

/** Offset in `lossy` of the first character that stands for bytes which aren't UTF-8; -1 if there is none. */
function firstBrokenCharacter(bytes: Uint8Array, lossy: string): number {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return -1;
  } catch {
    const again = new TextEncoder().encode(lossy);
    const skipped = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
    let same = 0;
    while (same < again.length && again[same] === bytes[same + skipped]) same++;
    // A broken character became U+FFFD (EF BF BD), whose first bytes may by chance be those of the broken one.
    const before = new TextDecoder().decode(again.subarray(0, same)).replace(/\uFFFD$/, '');
    return before.length;
  }
}
