/**
 * The HTTP part that all demo services share: routes, JSON, limits, data that is kept, and a clean end. Each service's
 * directory is packed by itself, so each holds its own copy of this file; a test keeps the copies equal.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const largestBody = 64 * 1024;

/** An answer that says no: thrown by handlers. */
export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** A value of the service's configuration, which MCP writes to a JSON file; read anew at each call. */
export function configured(name, fallback) {
  try {
    return JSON.parse(readFileSync(process.env.MCP_CONFIG_FILE ?? '', 'utf8'))[name] ?? fallback;
  } catch {
    return fallback;
  }
}

/** A member of a request's body: a text that matches, or a whole number in a range. */
export function member(body, name, { pattern, least, most, fallback }) {
  const value = body[name] ?? fallback;
  const fits = pattern
    ? typeof value === 'string' && pattern.test(value)
    : Number.isInteger(value) && value >= least && value <= most;
  if (!fits) throw new Refusal(400, `${name} is missing or not valid`);
  return value;
}

/** Refuses a request without the demo key in the given header. */
export function requireKey(request, header) {
  if (request.headers[header] !== (process.env.API_KEY ?? 'demo')) throw new Refusal(401, `header ${header} is needed`);
}

/** Data that starts as `seed` and outlives the process where MCP_DATA_DIR names a directory. */
export function keptData(seed) {
  const file = process.env.MCP_DATA_DIR ? join(process.env.MCP_DATA_DIR, 'data.json') : undefined;
  let data = seed;
  let timer;
  if (file) {
    mkdirSync(process.env.MCP_DATA_DIR, { recursive: true });
    try {
      data = JSON.parse(readFileSync(file, 'utf8'));
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
  }
  const save = () => {
    if (!timer) return;
    clearTimeout(timer);
    timer = undefined;
    writeFileSync(`${file}.new`, JSON.stringify(data));
    renameSync(`${file}.new`, file);
  };
  const changed = () => {
    if (file) timer ??= setTimeout(save, 200);
  };
  return { data, changed, save };
}

/**
 * Serves `routes`, a list of [method, path with {parameters}, handler]. A handler gets { params, query, headers, body }
 * and gives [status, body, headers]; what it throws becomes `errorBody(status, message)`.
 */
export function serve({ service, version, document, documentPath, routes, errorBody, store }) {
  const about = {
    service,
    version: process.env.MCP_VERSION ?? version,
    machine: process.env.MCP_MACHINE ?? 'none',
  };
  const table = [
    ...routes,
    ['GET', documentPath, () => [200, document]],
    ['GET', '/healthz', () => [200, { status: 'ok', ...about }]],
  ].map(([method, path, handler]) => ({ method, parts: path.split('/'), handler }));
  let ending = false;

  const server = createServer(async (request, response) => {
    const [status, body, headers] = await answer(table, request).catch((error) => {
      const code = error instanceof Refusal ? error.status : 500;
      if (code === 500) console.error(error);
      return [code, errorBody(code, code === 500 ? 'this should not have happened' : error.message), {}];
    });
    const text = body === undefined ? '' : JSON.stringify(body);
    response.writeHead(status, {
      ...(text ? { 'content-type': 'application/json; charset=utf-8' } : {}),
      'content-length': Buffer.byteLength(text),
      'x-served-by': about.machine,
      'x-version': about.version,
      // A body that was too large is not read to its end: the connection can't be used again.
      ...(ending || status === 413 ? { connection: 'close' } : {}),
      ...headers,
    });
    response.end(text);
  });
  // Longer than a gateway keeps its idle connections (nginx: 60 s), so that it is never us who close one it is about to use.
  server.keepAliveTimeout = 75_000;
  server.headersTimeout = 80_000;
  server.listen(Number(process.env.PORT ?? 8080), process.env.ADDRESS ?? '127.0.0.1', () => {
    console.log(`${about.service} ${about.version} listens on ${server.address().address}:${server.address().port}`);
  });

  const end = () => {
    ending = true;
    server.close(() => {
      store.save();
      process.exit(0);
    });
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
}

async function answer(table, request) {
  const url = new URL(request.url, 'http://service');
  const parts = url.pathname.split('/').map(decoded);
  const here = table.filter((route) => matches(route.parts, parts));
  if (here.length === 0) throw new Refusal(404, `there is nothing at ${url.pathname}`);
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const route = here.find((candidate) => candidate.method === method);
  if (!route) throw new Refusal(405, `${request.method} is not possible at ${url.pathname}`);
  const params = Object.fromEntries(
    route.parts.flatMap((part, index) => (part.startsWith('{') ? [[part.slice(1, -1), parts[index]]] : [])),
  );
  const body = method === 'POST' || method === 'PUT' ? await readBody(request) : {};
  return route.handler({ params, query: url.searchParams, headers: request.headers, body });
}

function matches(pattern, parts) {
  return (
    pattern.length === parts.length && pattern.every((part, index) => part.startsWith('{') || part === parts[index])
  );
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Refusal(400, 'the path is not valid');
  }
}

async function readBody(request) {
  const chunks = [];
  let size = 0;
  // Not the plain `of request`: leaving that loop early would cut the connection before the answer is sent.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    size += chunk.length;
    if (size > largestBody) throw new Refusal(413, `the body has more than ${largestBody} bytes`);
    chunks.push(chunk);
  }
  if (size === 0) return {};
  try {
    const body = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body;
  } catch {
    // Said below.
  }
  throw new Refusal(400, 'the body is not a JSON object');
}
