import test from 'ava';
import { brokenOrder, comesAfter } from '../../specs/service-order.ts';

test('a service comes after those it names and those that they name', (t) => {
  const services = [{ name: 'a', after: ['b'] }, { name: 'b', after: ['c', 'd'] }, { name: 'c' }, { name: 'd' }];
  t.deepEqual([...comesAfter(services, 'a')].sort(), ['b', 'c', 'd']);
  t.deepEqual([...comesAfter(services, 'c')], []);
});

test('a circle is told once, by its shortest way, however many lead into it', (t) => {
  const messages = (services: Record<string, { after?: string[] }>) =>
    brokenOrder(services).map(({ message }) => message);
  t.deepEqual(messages({ out: { after: ['a'] }, a: { after: ['b'] }, b: { after: ['c'] }, c: { after: ['a', 'b'] } }), [
    'no order is possible: a after b after c after a',
  ]);
  t.deepEqual(messages({ a: { after: ['c', 'b'] }, b: { after: ['c'] }, c: {} }), [], 'two ways are no circle');
  t.deepEqual(messages({ constructor: { after: ['toString'] } }), ['there is no service "toString"']);
});
