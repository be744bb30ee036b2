/** Small worlds for tests of the pure views: environments, machines, registrations with defaults. */

import type { ObservedMachine, ObservedRegistration } from '../../mcp/plan/snapshot.ts';
import type { RegistryPart } from '../../mcp/view/status-view.ts';
import type {
  AgentPhase,
  AssignmentRecord,
  GatewayRecord,
  MachineRecord,
  RegistrationRecord,
} from '../../registrar/records.ts';
import type { Environment, Service, Version } from '../../specs/nouns.ts';
import { selfTest } from './self-test.ts';

/** A version that runs `node server.js`; its digest is `digest-<version>` unless told otherwise. */
export function version(name: string, count: number, over: Partial<Version> = {}): Version {
  return {
    version: name,
    count,
    command: ['node', 'server.js'],
    port: 8080,
    env: {},
    health: { kind: 'http', path: '/healthz', intervalMs: 1000, timeoutMs: 500, rise: 1, fall: 3 },
    digest: `digest-${name}`,
    ...over,
  };
}

export function service(name: string, versions: Version[], over: Partial<Service> = {}): Service {
  return {
    name,
    route: `/${name}`,
    document: '/openapi.json',
    config: {},
    onConfigChange: 'restart',
    drainTimeoutMs: 30_000,
    stopTimeoutMs: 5000,
    versions,
    ...over,
  };
}

export function environment(...services: Service[]): Environment {
  return { name: 'test', pool: { size: 2, image: 'process' }, gateway: { title: 'Test', description: '' }, services };
}

export function machine(
  uuid: string,
  over: Partial<MachineRecord> = {},
  phase: AgentPhase | null = 'idle',
  reason = '',
): ObservedMachine {
  const record: MachineRecord = {
    uuid,
    provider: 'process',
    image: 'process',
    state: 'ready',
    operation: `op-${uuid}`,
    epoch: 1,
    address: '127.31.7.2',
    createdAt: 1000,
    changedAt: 1000,
    ...over,
  };
  const told = { machine: uuid, reason, at: 1000, starts: 1, selfTest: selfTest() };
  const agent = phase === null ? null : { ...told, phase };
  return { record, version: 0, assignment: null, agent };
}

/** A machine claimed for a version. */
export function claimed(
  uuid: string,
  name: string,
  of: Version,
  phase: AgentPhase | null = 'serving',
  reason = '',
): ObservedMachine {
  const claim = { service: name, version: of.version, digest: of.digest, operation: `claim-${uuid}`, at: 1000 };
  const assignment: AssignmentRecord = {
    service: name,
    version: of,
    onConfigChange: 'restart',
    drainTimeoutMs: 30_000,
    stopTimeoutMs: 5000,
    want: 'run',
    operation: claim.operation,
    epoch: 1,
  };
  return {
    ...machine(uuid, { state: 'claimed', claim }, phase, reason),
    assignment: { record: assignment, version: 0 },
  };
}

export function registration(
  uuid: string,
  name: string,
  of: Version,
  over: Partial<RegistrationRecord> = {},
): ObservedRegistration {
  const record: RegistrationRecord = {
    schema: 1,
    service: name,
    version: of.version,
    machine: uuid,
    address: '127.31.7.2',
    port: of.port,
    state: 'up',
    digest: of.digest,
    at: 1000,
    ...over,
  };
  return { record, mzxid: 10 };
}

export function gateway(over: Partial<GatewayRecord> = {}): GatewayRecord {
  return {
    id: 'gateway-1',
    url: 'http://127.0.0.1:8080',
    pid: 1,
    mode: 'plain',
    served: { generation: 3, asOf: 20 },
    drained: { generation: 3, asOf: 20 },
    routes: 1,
    instances: 1,
    holding: '',
    rejected: [],
    at: 1000,
    ...over,
  };
}

/** The registry's part of a snapshot, of one declared environment. */
export function registryPart(declared: Environment | null, over: Partial<RegistryPart> = {}): RegistryPart {
  const record = declared && {
    generation: 4,
    author: 'operator:ann',
    reason: 'test',
    at: 1000,
    digest: 'd',
    allowance: {},
    environment: declared,
  };
  return {
    asOf: 20,
    clusterId: 'cluster',
    epoch: 2,
    desired: record && { record, version: 3 },
    suspended: { record: { suspended: false, reason: '', by: '', at: 0 }, version: 0 },
    machines: [],
    registrations: [],
    rejected: [],
    gateways: [gateway()],
    configs: {},
    budgets: {},
    pool: null,
    ...over,
  };
}
