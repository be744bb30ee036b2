/**
 * The CRC-32 of joined texts from those of the parts (RFC 1952, 8, and the arithmetic of zlib's crc32_combine): a gzip file ends in
 * the checksum of all of its text, and most of that text is not to be read again. Pure.
 *
 * A polynomial over GF(2) is 32 bits, the coefficient of x^0 being the highest.
 */
const polynomial = 0xedb88320;
const one = 0x80000000;

/** What a checksum is multiplied by when so many bytes follow: x^(8 * bytes). */
export function shiftBy(bytes: number): number {
  let product = one;
  for (let rest = bytes, power = 3; rest > 0; rest = Math.floor(rest / 2), power += 1) {
    if (rest % 2 === 1) product = multiply(powers[power % 32] ?? one, product);
  }
  return product;
}

/** The checksum of a text followed by another one, whose length `shift` stands for. */
export function joinChecksums(first: number, second: number, shift: number): number {
  return (multiply(shift, first) ^ second) >>> 0;
}

function multiply(a: number, b: number): number {
  let product = 0;
  let factor = b;
  for (let bit = 31; bit >= 0; bit -= 1) {
    if ((a >>> bit) & 1) product ^= factor;
    factor = factor & 1 ? (factor >>> 1) ^ polynomial : factor >>> 1;
  }
  return product >>> 0;
}

/** x^(2^n) for n in 0..31: they begin again after that. */
const powers: number[] = [0x40000000];
for (let n = 1; n < 32; n += 1) powers.push(multiply(powers[n - 1] ?? 0, powers[n - 1] ?? 0));
