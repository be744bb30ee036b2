import test from 'ava';
import { complaints, parseText } from '../helpers/environment-text.ts';
import { readBack } from '../helpers/read-back.ts';

const withGateway = (...lines: string[]) =>
  [
    'environment: hosting',
    'gateway:',
    ...lines.map((line) => `  ${line}`),
    'services:',
    '  dns: { command: [node], port: 80, versions: { 1.0.0: { count: 1 } } }',
    '',
  ].join('\n');

test('HTTPS is declared by port and files; what is left out has its default', (t) => {
  const { gateway } = parseText(withGateway('tls: { port: 8443, certificate: /etc/mcp/a.pem, key: /etc/mcp/a.key }'));
  t.deepEqual(gateway.tls, {
    port: 8443,
    certificate: '/etc/mcp/a.pem',
    key: '/etc/mcp/a.key',
    redirect: false,
  });
});

test('mistakes are told with their place and the nearest right word', (t) => {
  const files = 'certificate: /a.pem, key: /a.key';
  t.deepEqual(complaints(withGateway(`tls: { port: 8443, certifcate: /a.pem, key: /a.key }`)), [
    '3:22 unknown key "certifcate", did you mean "certificate"?',
  ]);
  t.deepEqual(complaints(withGateway(`tls: { port: "8443", ${files} }`)), [
    '3:16 port must be a whole number from 1 to 65535, not the text "8443"',
  ]);
  t.deepEqual(complaints(withGateway('tls: { port: 1, certificate: site.pem, key: /a.key }')), [
    '3:32 certificate must be an absolute path such as /etc/mcp/site.pem, not the text "site.pem"',
  ]);
  t.deepEqual(complaints(withGateway('tls: { port: 1, certificate: /a.pem, key: /a.pem }')), [
    '3:45 key is the file of the certificate: keep the private key in a file of its own, readable by the gateway alone',
  ]);
  t.deepEqual(complaints(withGateway(`tls: { port: 1, ${files}, redirect: yes }`)), [
    '3:63 redirect must be true or false, not the text "yes"',
  ]);
});

test('what is written back declares the same again', (t) => {
  const tls = 'tls: { port: 8443, certificate: /a b/$x;".pem, key: /a.key, client-ca: /ca.pem, redirect: true }';
  readBack(t, withGateway('title: Hosting', 'largest-document: 3MiB', tls));
});
