/**
 * Where the documents and their pages are: the merged one at /openapi.json and /openapi.yaml, each service's own below
 * /docs/<service>/. They are at fixed places, whatever generation is served. Pure.
 */
import { block, type Directive, directive, nginxText } from './emit.ts';
import { exact, gzipTypes, header } from './location-parts.ts';
import type { GatewayPaths } from './paths.ts';

/**
 * `ownHeaders` is what the gateway says with all its own answers, `page` what a page needs. With `gzipStatic` the files compressed
 * already are served, each form with a strong ETag of its own; else nginx compresses, and makes the ETag weak. `whole`: what answers
 * where a file of the merged document is asked for; null: that file.
 */
export function documentLocations(
  paths: GatewayPaths,
  gzipStatic: boolean,
  ownHeaders: readonly Directive[],
  page: readonly Directive[],
  whole: readonly Directive[] | null,
): Directive[] {
  const { current, services } = paths.documents;
  const packed = gzipStatic
    ? [directive('gzip', 'off'), directive('gzip_static', 'on')]
    : [directive('gzip', 'on'), gzipTypes];
  const headers = [
    ...ownHeaders,
    header('Cache-Control', 'no-cache'),
    header('Access-Control-Allow-Origin', '*'),
    header('Access-Control-Expose-Headers', 'ETag'),
  ];
  const document = [...headers, ...packed, directive('gzip_vary', 'on')];
  const merged = (path: string, file: string) =>
    exact(path, whole === null ? [...document, directive('alias', `${current}/${file}`)] : [...headers, ...whole]);
  return [
    merged('/openapi.json', 'openapi.json'),
    merged('/openapi.yaml', 'openapi.yaml'),
    exact('/docs', [directive('return', 308, '/docs/')]),
    merged('/docs/services.json', 'services.json'),
    block(
      'location',
      ['/docs/'],
      [
        ...page,
        directive('alias', `${paths.www}/docs/`),
        directive('index', 'index.html'),
        // In here, since nginx tries regular expressions beside it for every request that there is.
        ...serviceDocuments(services, document),
      ],
    ),
  ];
}

function serviceDocuments(services: string, document: readonly Directive[]): Directive[] {
  return [
    block('location', ['~', nginxText`^/docs/([a-z0-9-]+)$`], [directive('return', 308, nginxText`/docs/$1/`)]),
    block(
      'location',
      ['~', nginxText`^/docs/([a-z0-9-]+)/(openapi\.(?:json|yaml))$`],
      [...document, directive('alias', nginxText`${services}/$1/$2`)],
    ),
    block(
      'location',
      ['~', nginxText`^/docs/([a-z0-9-]+)/$`],
      [
        block('if', ['(', '!-d', nginxText`${services}/$1`, ')'], [directive('return', 404)]),
        directive('rewrite', '^', '/docs/index.html', 'last'),
      ],
    ),
  ];
}
