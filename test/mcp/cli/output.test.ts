/** What is printed, to the letter. */
import test from 'ava';
import { cut, paint } from '../../../mcp/cli/output.ts';

test('a line is cut where it would wrap, and its colours are not counted', (t) => {
  const line = `${paint(true, 'bold', 'dns')}  ${paint(true, 'green', 'serves')} on`;
  t.is(cut('dns  serves on', 8), 'dns  ser');
  t.is(cut(line, 8), `${paint(true, 'bold', 'dns')}  ${paint(true, 'green', 'ser')}`);
  t.is(cut(line, 14), line);
  t.is(cut(line, 80), line);
});
