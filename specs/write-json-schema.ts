/** `npm run schema`: writes specs/environment.schema.json anew after a change of the shape. */
import { writeFile } from 'node:fs/promises';
import { environmentJsonSchema } from './environment-schema.ts';

await writeFile(
  new URL('environment.schema.json', import.meta.url),
  `${JSON.stringify(environmentJsonSchema(), null, 2)}\n`,
);
