/** `mcp check-document OLD NEW`: what a change of an OpenAPI document does to callers; made for continuous integration. */
import { readFile } from 'node:fs/promises';
import { DocumentThread } from '../../../proxy-daemon/document/document-thread.ts';
import { defaultLimits, fetchDocument } from '../../../proxy-daemon/document/fetch-document.ts';
import { isMcpError, McpError } from '../../../specs/errors.ts';
import { compatibilityReport } from '../../view/compatibility-report.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../output.ts';
import { renderCompatibility } from '../render-compatibility.ts';
import { action, type Register } from './run.ts';

interface CheckOptions {
  all?: boolean;
}

export const registerCheckDocument: Register = (program, interrupted) => {
  program
    .command('check-document')
    .description('what a change of an OpenAPI document does to callers (exit 3: it breaks them)')
    .argument('<old>', 'file, or http:// URL with an IP address, of the document that callers keep to')
    .argument('<new>', 'the document that replaces it')
    .option('--all', 'list safe changes too')
    .action(
      action<CheckOptions>(interrupted, (context, options, before = '', after = '') =>
        checkDocument(context, options, before, after),
      ),
    );
};

async function checkDocument(context: Context, { all }: CheckOptions, before: string, after: string) {
  const thread = new DocumentThread({ timeoutMs: 120_000 });
  try {
    const [live, next] = await Promise.all([read(before, thread, context.signal), read(after, thread, context.signal)]);
    const { findings } = await thread.run({ kind: 'compare', route: '/', live, next });
    const report = compatibilityReport(findings, { service: '', live: before, next: after });
    if (context.json) context.printJson(report);
    else context.print(renderCompatibility(report, { color: context.color, all }));
    return report.verdict === 'breaking' ? exitCodes.refused : undefined;
  } finally {
    await thread.close();
  }
}

async function read(from: string, thread: DocumentThread, signal: AbortSignal): Promise<Uint8Array> {
  try {
    const bytes = /^http:\/\//i.test(from) ? await fetched(from, signal) : await fromFile(from);
    return (await thread.run({ kind: 'normalise', bytes })).document;
  } catch (cause) {
    if (!isMcpError(cause)) throw cause;
    // Of two documents, which one.
    const { code, message, hint, retryable } = cause;
    throw new McpError(code, `${from}: ${message}`, { cause: cause.cause, hint, retryable });
  }
}

async function fetched(url: string, signal: AbortSignal): Promise<Uint8Array> {
  const parsed = URL.parse(url);
  if (!parsed) throw new McpError('USAGE_FILE', 'is no URL', { hint: 'Name a file, or http://ADDRESS:PORT/PATH.' });
  const { hostname, port, pathname, search } = parsed;
  const target = { address: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80), path: `${pathname}${search}` };
  return (await fetchDocument(target, defaultLimits, signal)).bytes;
}

async function fromFile(file: string): Promise<Uint8Array> {
  return readFile(file).catch((cause: NodeJS.ErrnoException) => {
    throw new McpError('USAGE_FILE', `can't be read: ${cause.code ?? cause.message}`, {
      cause,
      hint: 'Name a file that holds an OpenAPI or Swagger document.',
    });
  });
}
