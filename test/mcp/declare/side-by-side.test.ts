import test from 'ava';
import { entering, newcomers, parseShares, sharesBefore, sideBySide } from '../../../mcp/declare/side-by-side.ts';
import { currentTrial, trialVersions } from '../../../mcp/declare/trials.ts';
import { service, version } from '../../helpers/world.ts';

const declared = service('dns', [version('1.1.0', 0), version('1.2.0', 4)]);
const fresh = new Map([['1.3.0', version('1.3.0', 1)]]);

function declaredBy(words: string[], count?: number, from = declared) {
  return sideBySide(from, parseShares(words), fresh, count).versions.map((one) => [one.version, one.count, one.weight]);
}

test('a new version gets enough instances for its share, and those that run keep theirs', (t) => {
  t.deepEqual(newcomers(declared, parseShares(['1.2.0=90', '1.3.0=10'])), ['1.3.0']);
  t.deepEqual(declaredBy(['1.2.0=90', '1.3.0=10']), [
    ['1.1.0', 0, 0],
    ['1.2.0', 4, 90],
    ['1.3.0', 1, 10],
  ]);
  t.deepEqual(declaredBy(['1.2.0=50', '1.3.0=50'])[2], ['1.3.0', 2, 50]);
  t.deepEqual(declaredBy(['1.2.0=67', '1.3.0=33'])[2], ['1.3.0', 2, 33], 'rounded up');
  t.deepEqual(declaredBy(['1.2.0=100', '1.3.0=0'])[2], ['1.3.0', 1, 0], 'without traffic it runs all the same');
});

test('what gets its first request is what runs at weight 0 or not at all, and gets none until its document is read', (t) => {
  const shares = parseShares(['1.2.0=90', '1.3.0=10']);
  t.deepEqual(entering(declared, shares), ['1.3.0']);
  t.deepEqual(declaredBy(['1.2.0=90', '1.3.0=0']), [
    ['1.1.0', 0, 0],
    ['1.2.0', 4, 90],
    ['1.3.0', 1, 0],
  ]);
  const quiet = sideBySide(declared, sharesBefore(shares, ['1.3.0']), fresh);
  t.deepEqual(entering(quiet, shares), ['1.3.0'], 'it runs, and still has no traffic');
  t.deepEqual(entering(sideBySide(declared, shares, fresh), parseShares(['1.2.0=10', '1.3.0=90'])), []);
  t.deepEqual(entering(declared, parseShares(['1.2.0=90', '1.3.0=0'])), [], 'it is to get none');
  const all = parseShares(['1.2.0=0', '1.3.0=100']);
  t.deepEqual(
    sharesBefore(all, entering(declared, all)).map(({ weight }) => weight),
    [1, 0],
    'what serves goes on',
  );
});

test('counts are said apart from weights', (t) => {
  t.deepEqual(declaredBy(['1.2.0=90', '1.3.0=10:3'])[2], ['1.3.0', 3, 10]);
  t.deepEqual(declaredBy(['1.2.0=90', '1.3.0=10'], 2)[2], ['1.3.0', 2, 10]);
  const [, old] = declaredBy(['1.2.0=90:5', '1.3.0=10'], 2);
  t.deepEqual(old, ['1.2.0', 5, 90], '--count speaks of what is new');
});

test('the same command with other weights changes weights and nothing else', (t) => {
  const first = sideBySide(declared, parseShares(['1.2.0=90', '1.3.0=10']), fresh);
  t.deepEqual(declaredBy(['1.3.0=40', '1.2.0=60'], undefined, first), [
    ['1.1.0', 0, 0],
    ['1.2.0', 4, 60],
    ['1.3.0', 1, 40],
  ]);
});

test('a version that runs and is not named is refused: its share would be a guess', (t) => {
  const three = service('dns', [version('1.1.0', 1), version('1.2.0', 4)]);
  t.throws(() => sideBySide(three, parseShares(['1.2.0=90', '1.3.0=10']), fresh), {
    code: 'USAGE_BAD_OPTION',
    message: /1\.1\.0 of dns runs too/,
  });
});

test('words that are no shares are refused', (t) => {
  const wrong = [
    ['1.2.0'],
    ['1.2.0=1'],
    ['a=1', 'a=2'],
    ['a=0', 'b=0'],
    ['a=101', 'b=1'],
    ['a=1:0', 'b=1'],
    ['a=-1', 'b=1'],
  ];
  for (const words of wrong) t.throws(() => parseShares(words), { code: 'USAGE_BAD_OPTION' }, words.join(' '));
  t.deepEqual(parseShares([]), []);
});

test('what was counted before holds only as long as versions and weights are those', (t) => {
  const service = sideBySide(declared, parseShares(['1.2.0=90', '1.3.0=10']), fresh);
  const trial = { service: 'dns', versions: trialVersions(service), by: 'x', reason: 'y', at: 1, baseline: [] };
  const found = { trials: [trial] };
  t.is(currentTrial(found, service), trial);
  t.is(currentTrial(found, sideBySide(service, parseShares(['1.2.0=80', '1.3.0=20']), fresh)), null);
  t.is(currentTrial(found, declared), null);
  t.is(currentTrial(null, service), null);
});
