import type { DeclaredEnvironment } from '../../specs/declared.ts';
import { parseEnvironment } from '../../specs/parse-environment.ts';
import { type Problem, problemsOf } from '../../specs/problems.ts';

/** Parses YAML text as the file `env.yaml`. */
export function parseText(text: string, options: { allowEmpty?: boolean } = {}): DeclaredEnvironment {
  return parseEnvironment(new TextEncoder().encode(text), { file: 'env.yaml', ...options });
}

/** The problems of a text or of bytes that must be refused; empty where they are accepted. */
export function problemsIn(content: string | Uint8Array): Problem[] {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  try {
    parseEnvironment(bytes, { file: 'env.yaml' });
    return [];
  } catch (error) {
    const problems = problemsOf(error);
    if (problems.length === 0) throw error;
    return problems;
  }
}

/** `line:column message` of each problem. */
export function complaints(content: string | Uint8Array): string[] {
  return problemsIn(content).map(({ line, column, message }) => `${line}:${column} ${message}`);
}

/** A small environment that is right, with one version's body replaced: line 5 holds it from column 14 on. */
export function withVersion(body: string): string {
  return ['environment: hosting', 'services:', '  dns:', '    versions:', `      1.0.0: ${body}`, ''].join('\n');
}

/** The same with lines below the service put in front of its versions, from line 4 on, at column 5. */
export function withService(...lines: string[]): string {
  const body = '1.0.0: { count: 1, command: [node, server.js], port: 8080 }';
  const indented = lines.map((line) => `    ${line}`);
  return ['environment: hosting', 'services:', '  dns:', ...indented, '    versions:', `      ${body}`, ''].join('\n');
}
