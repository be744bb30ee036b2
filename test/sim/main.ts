/** `node test/sim/main.ts [FIRST [COUNT]]`: runs that many seeds; a failing one is printed with what it broke. */
import { simulate } from './simulation.ts';

const first = Number(process.argv[2] ?? 1);
const count = Number(process.argv[3] ?? 1);
let failed = 0;
for (let seed = first; seed < first + count; seed += 1) {
  const { violations, unfinished, trace } = await simulate({ seed });
  const problems = [...violations, ...unfinished];
  if (problems.length > 0) failed += 1;
  console.log(`seed ${seed}: ${problems.length === 0 ? 'holds' : `\n  ${problems.join('\n  ')}`}`);
  if (process.env.TRACE) console.log(trace.join('\n'));
}
process.exitCode = failed > 0 ? 1 : 0;
