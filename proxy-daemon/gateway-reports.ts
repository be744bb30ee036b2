/** What the daemon tells of itself: to the registry, and to /status. Pure. */
import type { ForeignWord, GatewayRecord } from '../registrar/records.ts';
import type { StatusReport } from './status-report.ts';

type Told = Pick<
  StatusReport,
  | 'url'
  | 'pid'
  | 'mode'
  | 'modeReason'
  | 'alarm'
  | 'served'
  | 'drained'
  | 'holding'
  | 'at'
  | 'problem'
  | 'routes'
  | 'rejected'
> & {
  id: string;
  /** Of all routes together, that get traffic. */
  instances: number;
  tls: StatusReport['tls'];
  words: ForeignWord[];
};

type Rest = Omit<StatusReport, Exclude<keyof Told, 'id' | 'words' | 'instances'> | 'gateway' | 'foreign'>;

/** The registry hears the short of it, the status page all. */
export function gatewayReports(told: Told, rest: Rest): { record: GatewayRecord; status: StatusReport } {
  const { id, problem, routes, instances, rejected, words, tls, ...common } = told;
  const foreign = words.length > 0 ? { foreign: words } : {};
  const record: GatewayRecord = {
    id,
    ...common,
    ...(tls === null ? {} : { tls: { url: tls.url, notAfter: tls.notAfter } }),
    routes: routes.length,
    instances,
    rejected: rejected.slice(0, 20),
    ...foreign,
    holding: [common.holding, problem].filter(Boolean).join('; '),
  };
  return { record, status: { gateway: id, ...common, tls, problem, routes, rejected, ...foreign, ...rest } };
}
