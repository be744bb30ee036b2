/** Records to and from what znodes hold. Nothing read from the registry is used before its schema held. */
import { z } from 'zod';
import { canonicalJson } from '../../specs/canonical-json.ts';
import { McpError } from '../../specs/errors.ts';
import { foreignDialects } from '../../specs/registries-schema.ts';
import { paths } from '../layout.ts';
import type {
  AgentRecord,
  AssignmentRecord,
  BudgetRecord,
  ClusterRecord,
  ConfigRecord,
  DesiredRecord,
  EndedRecord,
  EpochRecord,
  EventRecord,
  ForeignWord,
  GatewayMark,
  GatewayRecord,
  MachineRecord,
  MachineState,
  OperatorWord,
  PoolRecord,
  QuarantineRecord,
  ReleasesRecord,
  SelfTestFigure,
  SelfTestRecord,
  SuspendedRecord,
  TemplateRecord,
  TrialsRecord,
  VerificationRecord,
} from '../records.ts';
import type { StatusRecord, WaitingRecord } from '../status-records.ts';
import { waitCauses } from '../wait-causes.ts';
import {
  artifactSchema,
  configSignal,
  configValues,
  environmentSchema,
  flavorSchema,
  onConfigChange,
  versionSchema,
} from './environment-schema.ts';
import { figuresSchema, rolloutSchema } from './rollout-schema.ts';
import { count, type Shape, shaped, text, time } from './shape.ts';

/** How one kind of record is checked. */
export type Codec<T> = z.ZodType<T>;

/** /leader/n_<seq> */
interface ContenderRecord {
  id: string;
  at: number;
}

const mark = shaped<GatewayMark>({ generation: count, asOf: z.number() });

const states = ['building', 'verifying', 'ready', 'claimed', 'draining', 'deleting'] as const satisfies MachineState[];

const figure = {
  name: text,
  value: z.number().nullable(),
  unit: text,
  of: count.optional(),
  note: text.optional(),
} as const satisfies Shape<SelfTestFigure>;

const selfTest = shaped<SelfTestRecord>({ at: time, tookMs: z.number(), figures: z.array(z.object(figure)) });

const verification = shaped<VerificationRecord>({
  at: time,
  tookMs: z.number(),
  passed: z.boolean(),
  checks: z.array(z.object({ ...figure, threshold: z.number().nullable(), passed: z.boolean() })),
});

const operatorWord = shaped<OperatorWord>({ by: text, reason: text, at: time });

const machine = shaped<MachineRecord>({
  uuid: text.min(1),
  provider: text,
  providerId: text.optional(),
  image: text,
  flavor: flavorSchema.optional(),
  template: text.optional(),
  state: z.enum(states),
  operation: text,
  epoch: count,
  address: text.optional(),
  createdAt: time,
  changedAt: time,
  claim: z
    .object({
      ...{ service: text, version: text, digest: text, operation: text, at: time },
      warm: z.literal(true).optional(),
    })
    .optional(),
  served: z.boolean().optional(),
  stores: z.array(artifactSchema).optional(),
  times: z.partialRecord(z.enum([...states, 'served']), time).optional(),
  verification: verification.optional(),
  reason: text.optional(),
  protected: operatorWord.optional(),
  toLeave: operatorWord.optional(),
  tombstone: z.object({ reason: text, operation: text, at: time }).optional(),
});

const template = shaped<TemplateRecord>({
  service: text,
  version: text,
  template: text,
  state: z.enum(['ready', 'making', 'waiting', 'failed', 'impossible']),
  reason: text,
});

const waiting = shaped<WaitingRecord>({
  what: text,
  why: text,
  // A cause that a newer controller knows is none to this reader, and no reason to refuse all it says.
  cause: z.enum(waitCauses).optional().catch(undefined),
  service: text.optional(),
});

const failures = z.record(z.string(), z.object({ inARow: count, lastReason: text }));

const foreignWord = shaped<ForeignWord>({
  service: text,
  version: text,
  dialect: z.enum(foreignDialects),
  path: text,
  route: text.optional(),
  instances: count,
  routed: count,
  out: z.array(text),
  problem: text,
});

export const codecs = {
  cluster: shaped<ClusterRecord>({ id: text.min(1), format: count, createdAt: time }),
  epoch: shaped<EpochRecord>({ leader: text, at: time }),
  contender: shaped<ContenderRecord>({ id: text.min(1), at: time }),
  desired: shaped<DesiredRecord>({
    generation: z.int().min(1),
    author: text,
    reason: text,
    at: time,
    digest: text,
    allowance: z.record(z.string(), count),
    environment: environmentSchema,
  }),
  suspended: shaped<SuspendedRecord>({ suspended: z.boolean(), reason: text, by: text, at: time }),
  machine,
  ended: shaped<EndedRecord>({ machine, at: time, reason: text }),
  pool: shaped<PoolRecord>({
    images: failures,
    starts: failures,
    counted: z.array(text),
    claims: z.array(z.tuple([count, count])),
    countedTo: time,
    lifted: count,
    size: z.object({ target: count, why: text }).optional(),
    paused: count.optional(),
    templates: z.array(template).optional(),
  }),
  assignment: shaped<AssignmentRecord>({
    service: text,
    version: versionSchema,
    document: text.optional(),
    onConfigChange,
    configSignal: configSignal.optional(),
    drainTimeoutMs: count,
    stopTimeoutMs: count,
    key: text.optional(),
    want: z.enum(['run', 'drain', 'stop']),
    operation: text,
    epoch: count,
  }),
  agent: shaped<AgentRecord>({
    machine: text,
    phase: z.enum([
      'testing',
      'idle',
      'fetching',
      'starting',
      'checking',
      'serving',
      'unhealthy',
      'draining',
      'stopped',
      'failed',
    ]),
    reason: text,
    at: time,
    service: text.optional(),
    version: text.optional(),
    starts: count,
    ended: text.optional(),
    selfTest: selfTest.optional(),
    template: text.optional(),
    warm: z.literal(true).optional(),
  }),
  config: shaped<ConfigRecord>({ service: text, generation: count, values: configValues }),
  gateway: shaped<GatewayRecord>({
    id: text,
    url: text,
    pid: count,
    mode: z.enum(['plain', 'dynamic']),
    modeReason: text.optional(),
    alarm: text.optional(),
    tls: z.object({ url: text, notAfter: z.number() }).optional(),
    served: mark,
    drained: mark,
    routes: count,
    instances: count,
    holding: text,
    rejected: z.array(z.object({ path: text, reason: text })),
    foreign: z.array(foreignWord).optional(),
    at: time,
  }),
  quarantine: shaped<QuarantineRecord>({ machine: text, path: text, reason: text, gateway: text, at: time }),
  releases: shaped<ReleasesRecord>({
    releases: z.array(z.object({ service: text.nullable(), asOf: z.number(), by: text, reason: text, at: time })),
  }),
  trials: shaped<TrialsRecord>({
    trials: z.array(
      z.object({
        service: text,
        versions: z.array(z.object({ version: text, digest: text, weight: z.number().min(0) })),
        by: text,
        reason: text,
        at: time,
        baseline: z.array(figuresSchema),
      }),
    ),
  }),
  budget: shaped<BudgetRecord>({
    destroyed: z.array(time),
    generation: count,
    used: count,
    rollout: z.object({ operation: text, used: count }).optional(),
  }),
  rollout: rolloutSchema,
  status: shaped<StatusRecord>({
    epoch: count,
    leader: text,
    generation: count.nullable(),
    at: time,
    waiting: z.array(waiting),
    alarms: z.array(z.object({ code: text, message: text })),
    provider: z
      .object({
        name: text,
        facts: z.record(z.string(), text),
        machines: z.object({ limit: count, others: count }).optional(),
        sharedHost: z.boolean().optional(),
        memory: z.object({ host: count, machine: count }).optional(),
        missingImages: z.record(z.string(), text).optional(),
      })
      .optional(),
  }),
  event: shaped<EventRecord>({
    at: time,
    actor: text,
    kind: text,
    service: text.optional(),
    version: text.optional(),
    machine: text.optional(),
    message: text,
    reason: text,
    epoch: count.optional(),
    operation: text.optional(),
  }),
} as const;

/** The record that a znode holds; McpError RECORD_INVALID, naming the path, where it holds something else. */
export function decode<T>(codec: Codec<T>, path: string, data: Uint8Array): T {
  const parsed = parseJson(data);
  if ('problem' in parsed) throw invalid(path, parsed.problem);
  const result = codec.safeParse(parsed.value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw invalid(
    path,
    issue ? `${issue.path.join('.') || 'the document'}: ${issue.message}` : 'it does not fit its schema',
  );
}

/** What a znode shall hold: canonical JSON. McpError RECORD_INVALID where the record is not one. */
export function encode<T>(codec: Codec<T>, record: T): string {
  const result = codec.safeParse(record);
  if (!result.success) throw invalid('(to be written)', z.prettifyError(result.error));
  return canonicalJson(result.data);
}

/** JSON of a znode, or what is wrong with it; pure, never throws. */
export function parseJson(data: Uint8Array): { value: unknown } | { problem: string } {
  if (data.byteLength === 0) return { problem: 'it is empty' };
  try {
    return { value: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data)) as unknown };
  } catch {
    return { problem: 'it is not JSON' };
  }
}

function invalid(path: string, problem: string): McpError {
  return new McpError('RECORD_INVALID', `registry node ${path}: ${problem}`, {
    hint:
      path === paths.desired
        ? 'Something else than MCP wrote it; `mcp apply -f FILE` declares it anew. Until then nothing is changed.'
        : 'Something else than MCP wrote it, or another version of MCP; nothing is changed until it is corrected.',
    details: { path, problem },
  });
}
