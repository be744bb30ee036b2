/** Certificates of a small authority. Its document is OpenAPI 3.1. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { configured, keptData, member, Refusal, requireKey, serve } from './small-server.js';

const dayMs = 86_400_000;
const name = /^(\*\.)?[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+$/;

const seed = (id, name, status, notBefore, notAfter) => ({
  id,
  name,
  status,
  issuer: 'Example CA',
  notBefore,
  notAfter,
  revokedBecause: status === 'revoked' ? 'superseded' : null,
  log: [{ at: notBefore, event: 'issued' }],
});

const store = keptData({
  issued: {
    'demo-1': seed('demo-1', 'www.example.com', 'valid', '2024-01-01T00:00:00.000Z', '2034-01-01T00:00:00.000Z'),
    'demo-2': seed('demo-2', '*.example.org', 'revoked', '2024-01-01T00:00:00.000Z', '2034-01-01T00:00:00.000Z'),
  },
});
const { issued } = store.data;

function find({ id }) {
  if (!Object.hasOwn(issued, id)) throw new Refusal(404, `there is no certificate ${id}`);
  return issued[id];
}

function term() {
  const now = Date.now();
  const days = configured('lifetime-days', 90);
  return { notBefore: new Date(now).toISOString(), notAfter: new Date(now + days * dayMs).toISOString() };
}

function note(certificate, event) {
  certificate.log.push({ at: new Date().toISOString(), event });
  store.changed();
}

const shown = ({ log, ...certificate }) => certificate;

serve({
  service: 'certificates',
  version: '1.0.0',
  document: JSON.parse(readFileSync(new URL('openapi.json', import.meta.url), 'utf8')),
  documentPath: '/openapi.json',
  store,
  errorBody: (status, detail) => ({ type: 'about:blank', status, detail }),
  routes: [
    [
      'GET',
      '/issued',
      ({ query }) => {
        const wanted = query.get('status');
        const all = Object.values(issued).filter(({ status }) => wanted === null || status === wanted);
        return [200, all.slice(0, 100).map(shown)];
      },
    ],
    [
      'POST',
      '/issued',
      ({ body }) => {
        const certificate = {
          id: randomUUID(),
          name: member(body, 'name', { pattern: name }),
          status: 'valid',
          issuer: configured('issuer', 'Example CA'),
          ...term(),
          revokedBecause: null,
          log: [],
        };
        issued[certificate.id] = certificate;
        note(certificate, 'issued');
        return [201, shown(certificate)];
      },
    ],
    ['GET', '/issued/{id}', ({ params }) => [200, shown(find(params))]],
    ['GET', '/issued/{id}/log', ({ params }) => [200, find(params).log]],
    [
      'POST',
      '/issued/{id}/revocation',
      ({ params, body, headers }) => {
        requireKey({ headers }, 'x-certificates-key');
        const certificate = find(params);
        if (certificate.status === 'revoked') throw new Refusal(409, 'it is revoked already');
        certificate.revokedBecause = member(body, 'reason', { pattern: /^(superseded|compromised|ceased)$/ });
        certificate.status = 'revoked';
        note(certificate, 'revoked');
        return [200, shown(certificate)];
      },
    ],
  ],
});
