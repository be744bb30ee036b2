import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import { environmentJsonSchema } from '../../specs/environment-schema.ts';

const specs = new URL('../../specs/', import.meta.url);

interface JsonSchema {
  description?: string;
  properties?: Record<string, JsonSchema>;
  additionalProperties?: JsonSchema | false;
  anyOf?: JsonSchema[];
}

const committed: JsonSchema = JSON.parse(readFileSync(new URL('environment.schema.json', specs), 'utf8'));

test('the committed JSON Schema is the current one (npm run schema writes it)', (t) => {
  const current: JsonSchema = JSON.parse(JSON.stringify(environmentJsonSchema()));
  t.deepEqual(committed, current);
});

test('editors find a description of every key', (t) => {
  const undescribed: string[] = [];
  const visit = (schema: JsonSchema, path: string) => {
    for (const [key, property] of Object.entries(schema.properties ?? {})) {
      if (!property.description) undescribed.push(`${path}.${key}`);
      visit(property, `${path}.${key}`);
    }
    if (schema.additionalProperties) visit(schema.additionalProperties, `${path}.*`);
    for (const option of schema.anyOf ?? []) visit(option, path);
  };
  visit(committed, '');
  t.deepEqual(undescribed, []);
});

test('every example names the schema for editors', (t) => {
  const examples = readdirSync(new URL('examples/', specs)).filter((name) => name.endsWith('.yaml'));
  t.true(examples.length >= 2);
  for (const example of examples) {
    const [first] = readFileSync(new URL(`examples/${example}`, specs), 'utf8').split('\n');
    t.is(first, '# yaml-language-server: $schema=../environment.schema.json', example);
  }
});
