/** Mailboxes and the messages in them. Its document is OpenAPI 3.0. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { configured, keptData, member, Refusal, requireKey, serve } from './small-server.js';

const address = /^[a-z0-9._-]{1,64}@[a-z0-9.-]{1,190}$/;
const quotaMb = configured('quota-mb', 100);

const store = keptData({
  boxes: {
    'ada@example.org': {
      address: 'ada@example.org',
      quotaMb: 100,
      messages: [{ id: 'welcome', at: '2024-06-01T00:00:00.000Z', from: 'team@example.org', subject: 'Welcome' }],
    },
  },
});
const { boxes } = store.data;

function find(params) {
  if (!Object.hasOwn(boxes, params.address)) throw new Refusal(404, `there is no mailbox ${params.address}`);
  return boxes[params.address];
}

const shown = ({ messages, ...box }) => ({ ...box, messages: messages.length });

serve({
  service: 'mailboxes',
  version: '1.0.0',
  document: JSON.parse(readFileSync(new URL('openapi.json', import.meta.url), 'utf8')),
  documentPath: '/openapi.json',
  store,
  errorBody: (status, reason) => ({ status, reason }),
  routes: [
    ['GET', '/boxes', () => [200, Object.values(boxes).slice(0, 100).map(shown)]],
    [
      'POST',
      '/boxes',
      ({ body }) => {
        const name = member(body, 'address', { pattern: address });
        if (Object.hasOwn(boxes, name)) throw new Refusal(409, `mailbox ${name} exists already`);
        boxes[name] = { address: name, quotaMb, messages: [] };
        store.changed();
        return [201, shown(boxes[name])];
      },
    ],
    ['GET', '/boxes/{address}', ({ params }) => [200, shown(find(params))]],
    [
      'DELETE',
      '/boxes/{address}',
      ({ params, headers }) => {
        requireKey({ headers }, 'x-api-key');
        find(params);
        delete boxes[params.address];
        store.changed();
        return [204];
      },
    ],
    ['GET', '/boxes/{address}/messages', ({ params }) => [200, find(params).messages.slice(-100)]],
    [
      'POST',
      '/boxes/{address}/messages',
      ({ params, body }) => {
        const message = {
          id: randomUUID(),
          at: new Date().toISOString(),
          from: member(body, 'from', { pattern: address }),
          subject: member(body, 'subject', { pattern: /^.{1,200}$/s }),
        };
        find(params).messages.push(message);
        store.changed();
        return [201, message];
      },
    ],
  ],
});
