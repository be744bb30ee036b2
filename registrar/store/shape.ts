import { z } from 'zod';

/** A schema for every property of T, optional ones too: a property added to a type without a schema does not compile. */
export type Shape<T> = { [K in keyof Required<T>]: z.ZodType<T[K]> };

/** An object of type T. Properties that T does not have are dropped. */
export function shaped<T extends object>(shape: Shape<T>): z.ZodType<T> {
  return z.object(shape) as unknown as z.ZodType<T>;
}

export const count = z.int().min(0);
/** ms since the Unix epoch. */
export const time = z.number().min(0);
export const text = z.string();
