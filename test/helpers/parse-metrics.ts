/** An independent reader of Prometheus' text format, which refuses what the format does not allow. */

export interface ReadSample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** Throws where a line breaks the format, a type is missing or told late, a sample comes twice, or a histogram does not add up. */
export function parseMetrics(text: string): ReadSample[] {
  if (text !== '' && !text.endsWith('\n')) throw new Error('the last line does not end');
  const types = new Map<string, string>();
  const helped = new Set<string>();
  const seen = new Set<string>();
  const samples: ReadSample[] = [];
  let current = '';
  for (const line of text.split('\n').slice(0, -1)) {
    const help = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) \S.*$/.exec(line);
    const type = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped)$/.exec(line);
    const metric = help?.[1] ?? type?.[1];
    if (metric !== undefined) {
      if ((help ? helped.has(metric) : types.has(metric)) || [...seen].some((key) => key.startsWith(`${metric} `))) {
        throw new Error(`${metric} is described twice or late`);
      }
      if (help) helped.add(metric);
      if (type) types.set(metric, type[2] ?? '');
      current = metric;
      continue;
    }
    const [, name = '', , inner = '', value = ''] =
      /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? ([+-]?(?:Inf|NaN|[0-9.eE+-]+))$/.exec(
        line,
      ) ?? [];
    if (name === '') throw new Error(`not a sample: ${line}`);
    const base = types.get(current) === 'histogram' ? name.replace(/_(bucket|sum|count)$/, '') : name;
    if (base !== current || !helped.has(current) || !types.has(current))
      throw new Error(`${line} stands elsewhere than its type`);
    if (types.get(current) === 'counter' && !name.endsWith('_total'))
      throw new Error(`${name} is a counter without _total`);
    const labels = Object.fromEntries(
      [...inner.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"/g)].map(([, label = '', text = '']) => [
        label,
        text.replace(/\\(["\\n])/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped)),
      ]),
    );
    const key = `${name} ${JSON.stringify(Object.entries(labels).sort())}`;
    if (seen.has(key)) throw new Error(`${line} comes twice`);
    seen.add(key);
    samples.push({ name, labels, value: value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value) });
  }
  checkHistograms(samples);
  return samples;
}

function checkHistograms(samples: readonly ReadSample[]): void {
  const buckets = samples.filter(({ name }) => name.endsWith('_bucket'));
  const groups = Map.groupBy(buckets, ({ name, labels: { le: _, ...rest } }) => `${name} ${JSON.stringify(rest)}`);
  for (const [group, own] of groups) {
    const { name, labels: { le: _, ...rest } = {} } = own[0] ?? {};
    const isSorted = own.every(({ value }, index) => value >= (own[index - 1]?.value ?? 0));
    const count = samples.find(
      (one) => one.name === name?.replace(/_bucket$/, '_count') && JSON.stringify(one.labels) === JSON.stringify(rest),
    );
    if (!isSorted || own.at(-1)?.labels.le !== '+Inf' || own.at(-1)?.value !== count?.value)
      throw new Error(`${group} does not add up`);
  }
}
