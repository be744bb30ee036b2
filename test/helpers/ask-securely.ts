/** HTTPS on a connection of its own, and HTTP/2. */
import { connect } from 'node:http2';
import { request } from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { Answer } from './ask.ts';

export interface SecureOptions {
  /** What the server's certificate must be signed by, PEM. */
  ca: string;
  /** The client's own. */
  cert?: string;
  key?: string;
  headers?: Record<string, string>;
  method?: string;
  body?: string;
  maxVersion?: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
}

/** The answer, with the name that the server's certificate has and the version of TLS. */
export function askSecurely(
  url: string,
  options: SecureOptions,
): Promise<Answer & { subject: string; protocol: string }> {
  const { method = 'GET', body, ...rest } = options;
  return new Promise((resolve, reject) => {
    const asked = request(url, { ...rest, method, agent: false, timeout: 20_000 }, (response) => {
      const socket = response.socket as TLSSocket;
      const [subject, protocol] = [String(socket.getPeerCertificate().subject.CN), socket.getProtocol() ?? ''];
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('error', reject);
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, body: text, headers: response.headers, subject, protocol });
      });
    });
    asked.on('timeout', () => asked.destroy(new Error(`no answer from ${url}`)));
    asked.on('error', reject);
    asked.end(body);
  });
}

/** Several requests at once over one HTTP/2 connection. */
export async function askByHttp2(
  url: string,
  paths: string[],
  options: SecureOptions,
): Promise<{ status: number; body: string }[]> {
  const session = connect(url, { ca: options.ca, cert: options.cert, key: options.key });
  try {
    return await Promise.all(
      paths.map(
        (path) =>
          new Promise<{ status: number; body: string }>((resolve, reject) => {
            session.on('error', reject);
            const stream = session.request({ ':path': path, ...options.headers });
            let [status, body] = [0, ''];
            stream.on('response', (headers) => {
              status = Number(headers[':status']);
            });
            stream.setEncoding('utf8').on('data', (part: string) => {
              body += part;
            });
            stream.on('error', reject);
            stream.on('end', () => resolve({ status, body }));
          }),
      ),
    );
  } finally {
    session.destroy();
  }
}
