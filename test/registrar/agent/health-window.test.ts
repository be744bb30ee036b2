import test from 'ava';
import fc from 'fast-check';
import {
  type HealthWindow,
  neededPasses,
  openHealthWindow,
  stepHealthWindow,
} from '../../../registrar/agent/health-window.ts';

const rules = { rise: 2, fall: 3 };

/** The verdict after each check, one a second. */
function verdicts(checks: boolean[], everyMs = 1_000): boolean[] {
  let window = openHealthWindow(0);
  return checks.map((passed, index) => {
    window = stepHealthWindow(window, rules, passed, index * everyMs);
    return window.healthy;
  });
}

test('it takes `rise` passes in a row to be healthy and `fall` failures in a row not to be', (t) => {
  t.deepEqual(verdicts([true, false, true, true]), [false, false, false, true]);
  t.deepEqual(verdicts([true, true, false, false, true, false, false, false]).slice(2), [
    true,
    true,
    true,
    true,
    true,
    false,
  ]);
});

test('each flap after the first doubles the proof needed, up to sixteen times, and calm minutes forgive', (t) => {
  let window = openHealthWindow(0);
  let now = 0;
  const step = (passed: boolean) => {
    now += 100;
    window = stepHealthWindow(window, rules, passed, now);
  };
  const needed: number[] = [];
  for (let flap = 0; flap < 7; flap += 1) {
    let passes = 0;
    while (!window.healthy) {
      step(true);
      passes += 1;
    }
    needed.push(passes);
    for (let failure = 0; failure < rules.fall; failure += 1) step(false);
  }
  t.deepEqual(needed, [2, 2, 4, 8, 16, 32, 32]);
  while (!window.healthy) step(true);
  now += 10 * 60_000;
  step(true);
  t.is(window.flaps, 0);
  t.is(neededPasses(window, rules.rise), 2);
});

test('a verdict never changes without as many equal checks in a row as the rules ask', (t) => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 300 }), fc.integer({ min: 1, max: 100_000 }), (checks, everyMs) => {
      const all = verdicts(checks, everyMs);
      all.forEach((healthy, index) => {
        const before = index === 0 ? false : all[index - 1];
        if (healthy === before) return;
        const asked = healthy ? rules.rise : rules.fall;
        const last = checks.slice(Math.max(0, index + 1 - asked), index + 1);
        if (last.length < asked || last.some((passed) => passed !== healthy)) throw new Error(`too soon at ${index}`);
      });
    }),
  );
  t.pass();
});

test('stepping leaves the window it came from as it was', (t) => {
  const window: HealthWindow = Object.freeze({ healthy: true, passes: 3, failures: 0, flaps: 2, flapsAt: 0 });
  t.not(stepHealthWindow(window, rules, false, 500_000), window);
});
