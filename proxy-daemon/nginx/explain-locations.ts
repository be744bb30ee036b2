/** /status/explain: passed on to the daemon, which alone knows why routes are as they are. Pure. */
import { block, type Directive, directive } from './emit.ts';
import { exact, header } from './location-parts.ts';

/** No service's upstream has two underscores in its name. */
const upstream = 'mcp_own_daemon';

export function daemonUpstream(socket: string): Directive {
  return block('upstream', [upstream], [directive('server', `unix:${socket}`)]);
}

/** `ownHeaders`: what the gateway says with all of its own answers. */
export function explainLocations(ownHeaders: readonly Directive[]): Directive[] {
  return [
    exact('/status/explain', [
      ...ownHeaders,
      header('Cache-Control', 'no-store'),
      // The question is in the query: nothing else of the request is the daemon's.
      directive('proxy_pass_request_headers', 'off'),
      directive('proxy_pass_request_body', 'off'),
      directive('proxy_set_header', 'Content-Length', ''),
      directive('proxy_set_header', 'Host', 'daemon'),
      directive('proxy_read_timeout', '10s'),
      directive('error_page', 502, 504, '=503', '@mcp_explain'),
      directive('proxy_pass', `http://${upstream}`),
    ]),
    block(
      'location',
      ['@mcp_explain'],
      [
        ...ownHeaders,
        directive('default_type', 'application/json'),
        directive(
          'return',
          503,
          JSON.stringify({
            error: {
              code: 'DAEMON_SILENT',
              message: 'The proxy daemon does not answer, and it alone can explain',
              hint: 'What is served goes on. Start the daemon again.',
            },
          }),
        ),
      ],
    ),
  ];
}
