import test from 'ava';
import { differences } from '../../../proxy-daemon/document/compare-operations.ts';
import type { JsonObject } from '../../../proxy-daemon/document/json.ts';
import { object, oneOperation } from '../../helpers/change-cases.ts';

test('every part of an operation that refers to a changed schema differs, not only the first one', (t) => {
  const ref = { $ref: '#/components/schemas/Thing' };
  const side = (type: string) => {
    const document = oneOperation(ref, ref, {}, { Thing: object({ id: { type } }) });
    const operation = (document.paths as Record<string, Record<string, JsonObject>>)['/things']?.post ?? {};
    return { document, item: { post: operation }, operation };
  };
  const parts = differences(side('string'), side('integer')).map(({ part }) => part);
  t.deepEqual(parts, ['requestBody', 'responses/200']);
  t.deepEqual(differences(side('string'), side('string')), []);
});
