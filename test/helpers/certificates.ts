/** A certificate authority of the test's own, and certificates for a server on 127.0.0.1 and for clients. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface Issued {
  cert: string;
  key: string;
  /** Key and certificate in one file, as ZooKeeper wants them. */
  bundlePath: string;
}

export class Authority {
  readonly dir: string;
  readonly name: string;

  constructor(dir: string, name: string) {
    this.dir = dir;
    this.name = name;
  }

  static async create(dir: string, name: string): Promise<Authority> {
    const authority = new Authority(dir, name);
    const keyPair = [
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      authority.#path('key'),
    ];
    await openssl(['req', '-x509', ...keyPair, '-out', authority.certPath, '-days', '2', '-subj', `/CN=${name}`]);
    return authority;
  }

  get certPath(): string {
    return this.#path('pem');
  }

  cert(): Promise<string> {
    return readFile(this.certPath, 'utf8');
  }

  /** For a server `addresses` are the IP addresses it is reached at. */
  async issue(commonName: string, addresses: string[] = []): Promise<Issued> {
    const path = (ending: string) => join(this.dir, `${this.name}-${commonName}.${ending}`);
    const keyPair = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', path('key')];
    const names = addresses.length > 0 ? ['-addext', `subjectAltName=${addresses.map((ip) => `IP:${ip}`).join()}`] : [];
    const signer = ['-CA', this.certPath, '-CAkey', this.#path('key')];
    await openssl([
      'req',
      '-x509',
      ...signer,
      ...keyPair,
      '-out',
      path('crt'),
      '-days',
      '2',
      '-subj',
      `/CN=${commonName}`,
      ...names,
    ]);
    const [cert, key] = await Promise.all([readFile(path('crt'), 'utf8'), readFile(path('key'), 'utf8')]);
    await writeFile(path('pem'), key + cert);
    return { cert, key, bundlePath: path('pem') };
  }

  #path(ending: string): string {
    return join(this.dir, `${this.name}.${ending}`);
  }
}

const run = promisify(execFile);

async function openssl(args: string[]): Promise<string> {
  return (await run('openssl', args)).stdout;
}

/** A line of an htpasswd file. `form`: `-apr1`, `-5` or `-6`. */
export async function htpasswd(user: string, form: string, password: string): Promise<string> {
  return `${user}:${(await openssl(['passwd', form, password])).trim()}\n`;
}
