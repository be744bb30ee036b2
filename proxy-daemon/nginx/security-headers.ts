/** Headers that make browsers careful, each only where the service did not set it itself. Pure. */
import type { FrontDoor } from '../front-door/front-door.ts';
import { block, type Directive, directive, entry, type NginxText, nginxText } from './emit.ts';
import { header } from './location-parts.ts';

/** OWASP's list of secure headers, of it what breaks no API: the policy of a page's content is the page's own. */
const headers: { name: string; variable: NginxText; said: NginxText; value: string }[] = [
  {
    name: 'X-Content-Type-Options',
    variable: nginxText`$mcp_nosniff`,
    said: nginxText`$upstream_http_x_content_type_options`,
    value: 'nosniff',
  },
  {
    name: 'X-Frame-Options',
    variable: nginxText`$mcp_frames`,
    said: nginxText`$upstream_http_x_frame_options`,
    value: 'SAMEORIGIN',
  },
  {
    name: 'Referrer-Policy',
    variable: nginxText`$mcp_referrer`,
    said: nginxText`$upstream_http_referrer_policy`,
    value: 'strict-origin-when-cross-origin',
  },
];

const oneYear = 'max-age=31536000';

export function securityMaps({ securityHeaders, tls }: FrontDoor): Directive[] {
  if (!securityHeaders) return [];
  return [
    ...headers.map(({ said, variable, value }) =>
      block('map', [said, variable], [directive('default', ''), directive('', value)]),
    ),
    // Only by HTTPS, and only where HTTP leads there anyway.
    ...(tls?.redirect
      ? [
          block(
            'map',
            [nginxText`$https:$upstream_http_strict_transport_security`, nginxText`$mcp_transport`],
            [directive('default', ''), entry('on:', oneYear)],
          ),
        ]
      : []),
  ];
}

/** What goes with each answer of a service. */
export function answerHeaders({ securityHeaders, tls }: FrontDoor): Directive[] {
  return [
    header('X-Request-Id', nginxText`$mcp_request_id`),
    ...(securityHeaders ? headers.map(({ name, variable }) => header(name, variable)) : []),
    ...(securityHeaders && tls?.redirect ? [header('Strict-Transport-Security', nginxText`$mcp_transport`)] : []),
  ];
}
