import test from 'ava';
import { ConsoleLog, renderLogLine } from '../../../registrar/agent/console-log.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

function bench(bounds?: { burstBytes: number; bytesPerSecond: number }) {
  let said = '';
  const clock = new ManualClock();
  const console = new ConsoleLog(
    (text) => {
      said += text;
    },
    clock,
    bounds,
  );
  return { console, clock, lines: () => said.split('\n').slice(0, -1) };
}

test('whole lines are shown with who said them, however they come', (t) => {
  const { console, lines } = bench();
  const service = console.voice('service');
  const agent = console.voice('agent', renderLogLine);
  service.write(Buffer.from('half '));
  agent.write('{"level":30,"time":1,"machine":"m","phase":"serving","reason":"","msg":"phase"}\n');
  const umlaut = Buffer.from('ü\nand');
  service.write(umlaut.subarray(0, 1));
  service.write(umlaut.subarray(1));
  agent.write('{"level":40,"err":{"message":"gone"},"msg":"registry"}\nno JSON\n');
  t.deepEqual(lines(), [
    'agent: phase phase=serving',
    'service: half ü',
    'agent: warning: registry err=gone',
    'agent: no JSON',
  ]);
});

test("a service's words move no cursor, are no other's line, and have an end", (t) => {
  const { console, lines } = bench();
  console.voice('service').write(`\x1b[2Jred\ragent: phase serving\n${'x'.repeat(5_000)}`);
  t.is(lines()[0], 'service: redagent: phase serving');
  t.true((lines()[1] ?? '').length < 1_100);
});

test('who says too much is cut short, which is said when there is room again', async (t) => {
  const { console, clock, lines } = bench({ burstBytes: 50, bytesPerSecond: 10 });
  const service = console.voice('service');
  for (let n = 0; n < 100; n += 1) service.write('0123456789\n');
  t.is(lines().length, 2);
  await clock.advance(5_000);
  service.write('again\n');
  t.deepEqual(lines().slice(2), ['mcp: 98 lines not shown', 'service: again']);
});
