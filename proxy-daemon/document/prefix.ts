/**
 * What a service's names begin with in the merged document: `dns` gives `Dns`, `mail-relay` gives `MailRelay`. Two services
 * never get the same prefix, and a prefix holds no `_`, which ends it; so namespaced names can't clash. Pure.
 */
export function servicePrefix(service: string): string {
  // Only `-` followed by a letter is folded away: `a-1` and `a1` stay different.
  return service.replace(/^[a-z]|(?!^)-[a-z]/g, (part) => part.slice(-1).toUpperCase());
}

/** The prefix of a version shown beside the service's main one: `Dns.1.0.0`. */
export function versionPrefix(service: string, version: string): string {
  const plain = version.replace(/[^A-Za-z0-9.-]/g, '-');
  return `${servicePrefix(service)}.${plain === version ? version : `${plain}.${fingerprint(version)}`}`;
}

/** FNV-1a: tells apart versions that differ only in characters a component name can't hold. */
function fingerprint(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}
