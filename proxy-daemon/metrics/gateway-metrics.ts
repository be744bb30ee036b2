/** What the gateway's metrics are, from its status and its figures. Pure. */
import type { InstanceState, Route } from '../routes/route-table.ts';
import type { StatusReport } from '../status-report.ts';
import type { TrafficReport, VersionFigures } from '../version-figures.ts';
import type { Metric, Sample } from './exposition.ts';

export interface MeasuredGateway {
  status: StatusReport;
  /** Null: nothing is counted (plain mode). */
  traffic: Omit<TrafficReport, 'gateway'> | null;
  /** Reloads of nginx since the daemon started. */
  reloads: number;
}

export function gatewayMetrics({ status, traffic, reloads }: MeasuredGateway): Metric[] {
  return [...ofTraffic(traffic), ...ofStatus(status, reloads)];
}

const seconds = (ms: number) => ms / 1000;

/** Nothing in plain mode: absent is not zero. */
function ofTraffic(traffic: MeasuredGateway['traffic']): Metric[] {
  if (traffic === null) return [];
  const { versions, own = [], inFlight, down, uncounted, since } = traffic;
  return [
    {
      name: 'requests_total',
      type: 'counter',
      help: 'Requests that an instance was chosen for, by service, version and class of the answer.',
      samples: versions.flatMap(byClass),
    },
    {
      name: 'request_duration_seconds',
      type: 'histogram',
      help: 'From choosing an instance to the end of the answer; without WebSockets and event streams.',
      samples: versions.flatMap(histogram),
    },
    {
      name: 'own_answers_total',
      type: 'counter',
      help: 'Refusals by the gateway itself, without an instance being chosen, by service (empty: no route leads) and status.',
      samples: own.map(({ service, status, answers }) => ({
        labels: { service, status: String(status) },
        value: answers,
      })),
    },
    {
      name: 'retries_total',
      type: 'counter',
      help: 'Further tries at another instance, by the version whose instance failed.',
      samples: versions.map(({ service, version, retries }) => ({ labels: { service, version }, value: retries })),
    },
    {
      name: 'requests_in_flight',
      type: 'gauge',
      help: 'Requests in flight by instance, WebSockets among them; instances without any are left out.',
      samples: inFlight.map(({ service, endpoint, requests }) => ({
        labels: { service, instance: endpoint },
        value: requests,
      })),
    },
    gauge('instances_marked_down', 'Instances passed over for a while because requests failed there.', down.length),
    {
      name: 'uncounted_total',
      type: 'counter',
      help: 'Counts that found no room in memory.',
      samples: [{ value: uncounted }],
    },
    gauge('counted_since_timestamp_seconds', 'When nginx began to count.', seconds(since)),
  ];
}

function byClass({ service, version, requests, errors5xx, others }: VersionFigures): Sample[] {
  const { informational = 0, redirects = 0, errors4xx = 0 } = others ?? {};
  // The counters are read one after the other while they grow.
  const fine = Math.max(0, requests - errors5xx - informational - redirects - errors4xx);
  const classes = { '1xx': informational, '2xx': fine, '3xx': redirects, '4xx': errors4xx, '5xx': errors5xx };
  return Object.entries(classes).map(([of, value]) => ({ labels: { service, version, class: of }, value }));
}

function histogram({ service, version, latencyMs: { bounds, counts, sum } }: VersionFigures): Sample[] {
  const labels = { service, version };
  let reached = 0;
  const buckets = counts.map((count, index): Sample => {
    reached += count;
    const le = bounds[index] === undefined ? '+Inf' : String(seconds(bounds[index]));
    return { suffix: '_bucket', labels: { ...labels, le }, value: reached };
  });
  return [...buckets, { suffix: '_sum', labels, value: seconds(sum) }, { suffix: '_count', labels, value: reached }];
}

const states: InstanceState[] = ['routed', 'held', 'lost', 'draining', 'idle'];

function ofStatus(status: StatusReport, reloads: number): Metric[] {
  const { served, drained, routes, rejected, registry, tables, tls, revivals, problem, alarm, mode } = status;
  const table = (name: string, help: string, value: 'bytes' | 'free'): Metric => ({
    ...{ name, type: 'gauge', help },
    samples: tables.map((one) => ({ labels: { table: one.name }, value: one[value] })),
  });
  return [
    { name: 'info', type: 'gauge', help: 'Always 1; how nginx is fed.', samples: [{ labels: { mode }, value: 1 }] },
    gauge('generation', 'The generation of routes and document that is served.', served.generation),
    gauge('drained_generation', 'The oldest generation that may have requests in flight.', drained.generation),
    gauge('routes', 'Services with a route.', routes.length),
    {
      name: 'instances',
      type: 'gauge',
      help: 'Instances by state; held ones have vanished from the registry and still get requests.',
      samples: states.map((state) => ({ labels: { state }, value: countIn(routes, state) })),
    },
    gauge('quarantined', 'Registrations that are left out, each with its reason in /status.', rejected.length),
    gauge('registry_connected', '1 while the registry can be read.', registry.connected ? 1 : 0),
    gauge('holding', '1 while the last good routes are kept against what the registry says.', status.holding ? 1 : 0),
    gauge('problem', '1 while what should be served is not, or something is amiss.', problem || alarm ? 1 : 0),
    {
      name: 'reloads_total',
      type: 'counter',
      help: 'Reloads of nginx since the daemon started.',
      samples: [{ value: reloads }],
    },
    {
      name: 'revivals_total',
      type: 'counter',
      help: 'Times that nginx had died and was started again.',
      samples: [{ value: revivals }],
    },
    table('table_bytes', "Size of nginx's shared tables.", 'bytes'),
    table('table_free_bytes', "What is free of nginx's shared tables.", 'free'),
    ...(tls === null
      ? []
      : [
          gauge(
            'certificate_expiry_timestamp_seconds',
            'Until when the certificate that is served is valid.',
            seconds(tls.notAfter),
          ),
        ]),
  ];
}

function gauge(name: string, help: string, value: number): Metric {
  return { name, type: 'gauge', help, samples: [{ value }] };
}

function countIn(routes: readonly Route[], state: InstanceState): number {
  return routes.reduce((sum, { instances }) => sum + instances.filter((one) => one.state === state).length, 0);
}
