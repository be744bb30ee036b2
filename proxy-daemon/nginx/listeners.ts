/** Where the gateway listens: HTTP alone, or HTTPS beside it or instead of it. Pure. */
import type { FrontDoor, TlsDoor } from '../front-door/front-door.ts';
import { endpointOf } from '../routes/route-table.ts';
import { block, type Directive, directive, type NginxText, nginxText } from './emit.ts';

interface Listeners {
  address: string;
  /** The `listen` directives of HTTP without TLS. */
  open: Directive[];
  door: FrontDoor;
}

/**
 * The server blocks. `serverWith` makes the rest of one; null: its services are served, else where their requests are sent on to.
 * One block stands for both ports, unless the one only sends on.
 */
export function servers(
  { address, open, door: { tls } }: Listeners,
  serverWith: (sendOnTo: NginxText | null) => readonly Directive[],
): Directive[] {
  if (tls === null) return [server(open, serverWith(null))];
  // nginx before 1.25.1 knows no `http2` directive; later ones take this form too, with a warning.
  const secure = [directive('listen', endpointOf({ address, port: tls.port }), 'ssl', 'http2'), ...tlsParts(tls)];
  if (!tls.redirect) return [server([...open, ...secure], serverWith(null))];
  const port = tls.port === 443 ? '' : `:${tls.port}`;
  return [server(secure, serverWith(null)), server(open, serverWith(nginxText`https://$host${port}$request_uri`))];
}

function server(listen: readonly Directive[], rest: readonly Directive[]): Directive {
  return block('server', [], [...listen, directive('server_name', '_'), ...rest]);
}

/** Mozilla's "intermediate" recommendation, version 5.7 (wiki.mozilla.org/Security/Server_Side_TLS): no client of the last years is kept out. */
const ciphers = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
];

function tlsParts({ certificate, key, clientCa }: TlsDoor): Directive[] {
  return [
    directive('ssl_certificate', certificate),
    directive('ssl_certificate_key', key),
    directive('ssl_protocols', 'TLSv1.2', 'TLSv1.3'),
    directive('ssl_ciphers', ciphers.join(':')),
    directive('ssl_prefer_server_ciphers', 'off'),
    directive('ssl_session_cache', 'shared:mcp_tls:10m'),
    directive('ssl_session_timeout', '1d'),
    // Tickets would be sealed with one key for as long as nginx runs.
    directive('ssl_session_tickets', 'off'),
    ...(clientCa === null
      ? []
      : [
          directive('ssl_client_certificate', clientCa),
          // Who needs one says so by itself; a certificate that does not hold is refused at once.
          directive('ssl_verify_client', 'optional'),
          directive('ssl_verify_depth', 3),
        ]),
    // HTTP on this port, and certificates that do not hold: nginx's own codes, which no client knows.
    directive('error_page', 495, 496, 497, '=400', '@mcp_400'),
  ];
}
