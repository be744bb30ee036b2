/** Numbers from the command line: whole, in range, never blank (a blank parameter once meant deletion elsewhere). */
import { InvalidArgumentError } from 'commander';

/** A commander parser for whole numbers from `least` to `most`. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= least && value <= most))
      throw new InvalidArgumentError(`Give a whole number from ${least} to ${most}.`);
    return value;
  };
}
