/** Zones and their records. Its document is OpenAPI 3.0. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { configured, keptData, member, Refusal, requireKey, serve } from './small-server.js';

const name = /^[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*$/;
const text = /^.{1,255}$/s;

let defaultTtl = configured('default-ttl', 3600);
process.on('SIGHUP', () => {
  defaultTtl = configured('default-ttl', 3600);
  console.log(`configuration read again: default-ttl ${defaultTtl}`);
});

const store = keptData({
  zones: {
    'example.com': {
      name: 'example.com',
      status: 'active',
      records: {
        www: { id: 'www', name: 'www', ttl: 3600, type: 'A', address: '192.0.2.10' },
        mail: { id: 'mail', name: '@', ttl: 3600, type: 'MX', preference: 10, exchange: 'mail.example.com' },
      },
    },
    'example.org': {
      name: 'example.org',
      status: 'active',
      records: { note: { id: 'note', name: '@', ttl: 300, type: 'TXT', text: 'a demo zone' } },
    },
  },
});
const { zones } = store.data;

function zoneAt({ zone }) {
  if (!Object.hasOwn(zones, zone)) throw new Refusal(404, `there is no zone ${zone}`);
  return zones[zone];
}

function recordsAt(params) {
  const { records } = zoneAt(params);
  if (!Object.hasOwn(records, params.id)) throw new Refusal(404, `zone ${params.zone} has no record ${params.id}`);
  return records;
}

function recordIn(body, id) {
  const type = member(body, 'type', { pattern: /^(A|TXT|MX)$/ });
  const common = {
    id,
    name: member(body, 'name', { pattern: /^(@|\*|[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*)$/ }),
    ttl: member(body, 'ttl', { least: 1, most: 86_400, fallback: defaultTtl }),
    type,
  };
  if (type === 'TXT') return { ...common, text: member(body, 'text', { pattern: text }) };
  if (type === 'A') return { ...common, address: member(body, 'address', { pattern: { test: isIPv4 } }) };
  const preference = member(body, 'preference', { least: 0, most: 65_535 });
  return { ...common, preference, exchange: member(body, 'exchange', { pattern: name }) };
}

const summary = ({ name, status, records }) => ({ name, status, records: Object.keys(records).length });

serve({
  service: 'dns',
  version: '1.2.0',
  document: JSON.parse(readFileSync(new URL('openapi.json', import.meta.url), 'utf8')),
  documentPath: '/openapi.json',
  store,
  errorBody: (status, message) => ({ error: message, status }),
  routes: [
    ['GET', '/zones', () => [200, Object.values(zones).map(summary).slice(0, 100)]],
    [
      'POST',
      '/zones',
      ({ body }) => {
        const zone = member(body, 'name', { pattern: name });
        if (Object.hasOwn(zones, zone)) throw new Refusal(409, `zone ${zone} exists already`);
        zones[zone] = { name: zone, status: 'active', records: {} };
        store.changed();
        return [201, summary(zones[zone])];
      },
    ],
    ['GET', '/zones/{zone}', ({ params }) => [200, summary(zoneAt(params))]],
    [
      'DELETE',
      '/zones/{zone}',
      ({ params, headers }) => {
        requireKey({ headers }, 'x-dns-key');
        zoneAt(params);
        delete zones[params.zone];
        store.changed();
        return [204];
      },
    ],
    [
      'GET',
      '/zones/{zone}/records',
      ({ params, query }) => {
        const records = Object.values(zoneAt(params).records);
        const wanted = query.get('type');
        return [200, records.filter(({ type }) => wanted === null || type === wanted).slice(0, 100)];
      },
    ],
    [
      'POST',
      '/zones/{zone}/records',
      ({ params, body }) => {
        const { records } = zoneAt(params);
        const record = recordIn(body, randomUUID());
        records[record.id] = record;
        store.changed();
        return [201, record];
      },
    ],
    ['GET', '/zones/{zone}/records/{id}', ({ params }) => [200, recordsAt(params)[params.id]]],
    [
      'PUT',
      '/zones/{zone}/records/{id}',
      ({ params, body }) => {
        const records = recordsAt(params);
        records[params.id] = recordIn(body, params.id);
        store.changed();
        return [200, records[params.id]];
      },
    ],
    [
      'DELETE',
      '/zones/{zone}/records/{id}',
      ({ params, headers }) => {
        requireKey({ headers }, 'x-dns-key');
        delete recordsAt(params)[params.id];
        store.changed();
        return [204];
      },
    ],
    ['GET', '/settings', () => [200, { defaultTtl }]],
  ],
});
