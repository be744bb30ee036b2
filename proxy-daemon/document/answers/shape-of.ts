/** The schema that a value itself suggests, where nobody wrote one: what is there in all of its parts must be there. Pure. */
import { entriesOf, isObject, type Json, type JsonObject } from '../json.ts';
import { typeName } from './deviation.ts';

/** Deeper ones are taken for anything. */
const deepest = 40;

export function shapeOf(value: Json): JsonObject {
  return shapeOfAll([value], 0);
}

/** One schema for all of them: the items of an array look alike, or are taken as if they did. */
function shapeOfAll(values: readonly Json[], depth: number): JsonObject {
  if (values.length === 0 || depth > deepest) return {};
  // 1 and 1.5 are the same to whoever sends numbers.
  const types = [...new Set(values.map((value) => typeName(value).replace('integer', 'number')))];
  const objects = values.filter(isObject);
  const items = values.filter(Array.isArray).flat();
  return {
    type: types,
    ...(objects.length > 0 ? partsOf(objects, depth) : {}),
    ...(items.length > 0 ? { items: shapeOfAll(items, depth + 1) } : {}),
  };
}

function partsOf(objects: readonly JsonObject[], depth: number): JsonObject {
  const found = Map.groupBy(
    objects.flatMap((one) => entriesOf(one)),
    ([name]) => name,
  );
  const shapes = [...found].map(([name, all]) => {
    return [
      name,
      shapeOfAll(
        all.map(([, value]) => value),
        depth + 1,
      ),
    ] as const;
  });
  return {
    // By fromEntries also `__proto__` is a name like others.
    properties: Object.fromEntries(shapes),
    required: [...found].filter(([, all]) => all.length === objects.length).map(([name]) => name),
  };
}
