/** The operations that are gone, as requests for them reach an instance: what a gateway can count calls of. Pure. */
import { serverBase } from '../gateway-paths.ts';
import { isObject, type JsonObject, objectAt } from '../json.ts';
import type { Finding } from './finding.ts';

/** Such as `DELETE /v1/zones/{zone}`, in the order of the findings. */
export function removedOperations(findings: readonly Finding[], live: JsonObject, route: string): string[] {
  const gone = findings.filter(({ kind }) => kind === 'operation-removed').flatMap(({ where }) => where.operations);
  return gone.map(({ method, path }) => {
    const item = objectAt(objectAt(live, 'paths'), path);
    const operation = isObject(item[method]) ? item[method] : {};
    return `${method.toUpperCase()} ${encodeURI(serverBase(route, operation, item, live) + path)
      .replaceAll('%7B', '{')
      .replaceAll('%7D', '}')}`;
  });
}
