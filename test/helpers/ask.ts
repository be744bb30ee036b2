import { type IncomingHttpHeaders, request } from 'node:http';

export interface Answer {
  status: number;
  body: string;
  headers: IncomingHttpHeaders;
}

/**
 * Asks on a connection of its own, for the path exactly as given: `fetch` would tidy up the path, and its kept connections may
 * be closed by a reload at the wrong moment.
 */
export function ask(url: string, headers: Record<string, string> = {}): Promise<Answer> {
  const [, host = '', port = '', path = '/'] = /^http:\/\/([^:/]+):(\d+)(\/.*)$/.exec(url) ?? [];
  return new Promise((resolve, reject) => {
    const asked = request({ host, port, path, headers, agent: false, timeout: 20_000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body, headers: response.headers }));
      response.on('error', reject);
    });
    asked.on('timeout', () => asked.destroy(new Error(`no answer from ${url}`)));
    asked.on('error', reject);
    asked.end();
  });
}
