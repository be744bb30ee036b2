import test from 'ava';
import { consoleLines, LineSplitter } from '../../../mcp/view/console-view.ts';

test('lines are told apart by who said them, and made safe for a terminal', (t) => {
  t.deepEqual(consoleLines('[1.0] kernel\r\nagent: joined\r\n\nservice: \x1b]0;title\x07hi\nlast'), [
    { from: 'machine', text: '[1.0] kernel' },
    { from: 'agent', text: 'joined' },
    { from: 'service', text: 'hi' },
    { from: 'machine', text: 'last' },
  ]);
});

test('a line that comes in parts is one line', (t) => {
  const splitter = new LineSplitter();
  t.deepEqual(splitter.take('agent: he'), []);
  t.deepEqual(splitter.take('llo\nrest'), [{ from: 'agent', text: 'hello' }]);
});
