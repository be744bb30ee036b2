/** The version that `mcp upgrade --to` names: declared, in a file, or described by what differs from the one that runs. */
import { stat } from 'node:fs/promises';
import { versionDigest } from '../../specs/digest.ts';
import { McpError } from '../../specs/errors.ts';
import { didYouMean } from '../../specs/near-miss.ts';
import type { Service, Version } from '../../specs/nouns.ts';
import type { RegistryPart } from '../view/status-view.ts';
import { found } from './change-version.ts';
import { keepDirectory, keepFile } from './keep-artifact.ts';
import { loadEnvironment } from './load-environment.ts';

export interface VersionWords {
  file?: string;
  artifact?: string;
  command?: string[];
  port?: number;
  env?: string[];
}

interface Places {
  /** Folder of packed artifacts. */
  artifacts: string;
  defaultImage: string;
  /** A path as given to an absolute one. */
  at: (path: string) => string;
}

/**
 * Errors: USAGE_UNKNOWN_NAME where it is described nowhere; USAGE_BAD_OPTION; those of loadEnvironment and of packing.
 */
export async function versionToRun(
  registry: RegistryPart,
  service: string,
  name: string,
  words: VersionWords,
  places: Places,
): Promise<Version> {
  if (!/^[0-9A-Za-z][0-9A-Za-z.-]{0,39}$/.test(name)) {
    throw new McpError('USAGE_BAD_OPTION', `"${name}" is no version`, {
      hint: 'A version is 1 to 40 of letters, digits, . and -, such as 1.3.0.',
    });
  }
  const { declared, rollout } = found(registry, service);
  if (words.file !== undefined) {
    refuseWordsBeside(words, words.file);
    return fromFile(words.file, service, name, places);
  }
  const known = [...declared.versions, ...(rollout ? [...rollout.from, ...rollout.to] : [])];
  const described = words.artifact !== undefined || words.command !== undefined || words.env !== undefined;
  if (described || words.port !== undefined) return fromWords(declared, name, words, places);
  const version = known.find((one) => one.version === name);
  if (version) return { ...version, weight: undefined, count: 1 };
  const names = [...new Set(known.map((one) => one.version))];
  throw new McpError('USAGE_UNKNOWN_NAME', `${service} has no version called "${name}"${didYouMean(name, names)}`, {
    hint: `Declared: ${names.join(', ') || 'none'}. Describe a new one with --artifact DIR, --command or --file.`,
    details: { known: names },
  });
}

/** A file says all of what a version runs: what is said beside it would be ignored, or would make it another version. */
function refuseWordsBeside({ file: _, ...words }: VersionWords, file: string): void {
  const beside = (['artifact', 'command', 'port', 'env'] as const).filter((name) => words[name] !== undefined);
  if (beside.length === 0) return;
  const options = beside.map((name) => `--${name}`).join(' and ');
  throw new McpError(
    'USAGE_BAD_OPTION',
    `${options} ${beside.length > 1 ? "don't" : "doesn't"} go with --file, which says all of what runs`,
    {
      hint: `Say it in ${file}, or leave --file out.`,
    },
  );
}

async function fromFile(file: string, service: string, name: string, places: Places): Promise<Version> {
  const { services } = await loadEnvironment(file, places);
  const version = services.find((one) => one.name === service)?.versions.find((one) => one.version === name);
  if (version) return { ...version, weight: undefined, count: 1 };
  throw new McpError('USAGE_UNKNOWN_NAME', `${file} describes no ${service}@${name}`, {
    hint: 'Add the version to the file, with count: 0.',
  });
}

/** As the version that most instances run, but for what was said. */
async function fromWords(declared: Service, name: string, words: VersionWords, places: Places): Promise<Version> {
  const [like] = [...declared.versions].sort((a, b) => b.count - a.count);
  if (!like) {
    throw new McpError('USAGE_NOTHING_RUNS', `${declared.name} has no version that another one could be like`, {
      hint: 'Describe it in the environment file.',
    });
  }
  const { digest: _, weight: __, ...rest } = like;
  const version = {
    ...rest,
    version: name,
    count: 1,
    ...(words.artifact === undefined ? {} : { artifact: await artifactAt(words.artifact, places) }),
    ...(words.command === undefined ? {} : { command: words.command }),
    ...(words.port === undefined ? {} : { port: words.port }),
    env: { ...like.env, ...variables(words.env ?? []) },
  };
  return { ...version, digest: versionDigest(version, declared) };
}

async function artifactAt(path: string, { artifacts, at }: Places) {
  const found = await stat(at(path)).catch((cause: NodeJS.ErrnoException) => {
    throw new McpError('USAGE_FILE', `can't read ${path}: ${cause.code ?? cause.message}`, {
      cause,
      hint: 'Name a directory or a file with --artifact.',
    });
  });
  return found.isDirectory() ? keepDirectory(at(path), artifacts) : keepFile(at(path), artifacts, { name: path });
}

/** `NAME=value` words as a map. */
function variables(words: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    words.map((word) => {
      const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]{0,127})=(.*)$/s.exec(word) ?? [];
      if (name !== undefined && value !== undefined && !/^((ADDRESS|HOST|PORT)$|MCP_)/.test(name)) return [name, value];
      throw new McpError('USAGE_BAD_OPTION', `--env wants NAME=value, not "${word}"`, {
        hint: 'ADDRESS, HOST, PORT and MCP_... are set by MCP itself.',
      });
    }),
  );
}
