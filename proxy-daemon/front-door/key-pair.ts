/** A certificate with its key, as found on disk: checked whole before nginx is told of it. */
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { TlsSpec } from '../../specs/front-door.ts';

export interface KeyPair {
  /** sha256 over all three files, hex. */
  digest: string;
  certificate: Buffer;
  key: Buffer;
  clientCa: Buffer | null;
  /** Whom the certificate names. */
  names: string[];
  /** ms since the Unix epoch. */
  notAfter: number;
}

/** What can't be used, in words for whoever put the files there. Never holds anything of a file's content. */
export class UnusableFile extends Error {}

/** The pair, if it can be served at `now` (ms since the Unix epoch). Throws UnusableFile. */
export function readKeyPair(spec: TlsSpec, now: number): KeyPair {
  const certificate = readLocal(spec.certificate);
  const key = readLocal(spec.key);
  const clientCa = spec.clientCa === undefined ? null : readLocal(spec.clientCa);
  const leaf = certificateIn(certificate, spec.certificate);
  if (clientCa && spec.clientCa !== undefined) certificateIn(clientCa, spec.clientCa);
  if (!leaf.checkPrivateKey(privateKeyIn(key, spec.key))) {
    throw new UnusableFile(`the key in ${spec.key} does not belong to the certificate in ${spec.certificate}`);
  }
  const [notBefore, notAfter] = [Date.parse(leaf.validFrom), Date.parse(leaf.validTo)];
  if (now >= notAfter) throw new UnusableFile(`the certificate in ${spec.certificate} expired on ${day(notAfter)}`);
  if (now < notBefore)
    throw new UnusableFile(`the certificate in ${spec.certificate} is valid from ${day(notBefore)} on`);
  const hash = createHash('sha256');
  for (const part of [certificate, key, clientCa ?? Buffer.alloc(0)]) hash.update(`${part.length}\n`).update(part);
  return { digest: hash.digest('hex'), certificate, key, clientCa, names: namesOf(leaf), notAfter };
}

/** Certificates and keys are a few kilobytes. */
const largestFile = 1024 * 1024;

/** A small file of this machine. Throws UnusableFile. */
export function readLocal(path: string): Buffer {
  let content: Buffer;
  try {
    content = readFileSync(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code === 'ENOENT') throw new UnusableFile(`there is no file ${path}`);
    throw new UnusableFile(`the gateway can't read ${path}${code === 'EACCES' ? ': it has no right to' : ''}`);
  }
  if (content.length > largestFile) throw new UnusableFile(`${path} is larger than 1 MiB`);
  return content;
}

function certificateIn(content: Buffer, path: string): X509Certificate {
  try {
    return new X509Certificate(content);
  } catch {
    throw new UnusableFile(`${path} does not begin with a certificate in PEM form`);
  }
}

function privateKeyIn(content: Buffer, path: string) {
  try {
    return createPrivateKey(content);
  } catch {
    const isLocked = content.includes('ENCRYPTED');
    throw new UnusableFile(
      isLocked
        ? `the key in ${path} needs a passphrase: store it without one`
        : `${path} holds no private key in PEM form`,
    );
  }
}

function namesOf(leaf: X509Certificate): string[] {
  const alternatives = (leaf.subjectAltName ?? '').split(', ').flatMap((entry) => {
    const [, name] = /^(?:DNS|IP Address):(.+)$/.exec(entry) ?? [];
    return name === undefined ? [] : [name];
  });
  const [, common] = /^CN=(.+)$/m.exec(leaf.subject) ?? [];
  return alternatives.length > 0 ? alternatives.slice(0, 20) : common === undefined ? [] : [common];
}

function day(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}
