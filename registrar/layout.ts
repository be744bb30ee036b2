/**
 * Where things are in the registry (paths relative to the client's chroot; the default chroot is /mcp).
 * The only place that spells paths.
 */
export const paths = {
  cluster: '/cluster',
  epoch: '/epoch',
  leader: '/leader',
  desired: '/desired',
  history: '/history',
  historyOf: (generation: number) => `/history/${String(generation).padStart(10, '0')}`,
  suspended: '/suspended',
  /** Made by the first controller that has something to say. */
  status: '/status',
  machines: '/machines',
  machine: (uuid: string) => `/machines/${uuid}`,
  /** Exists exactly while the machine is claimed: creating it is the claim. */
  assignment: (uuid: string) => `/machines/${uuid}/assignment`,
  /** Ephemeral, owned by the machine's agent. */
  agent: (uuid: string) => `/machines/${uuid}/agent`,
  /** Machines that are no more. */
  endedMachines: '/ended',
  ended: (uuid: string) => `/ended/${uuid}`,
  /** Made by the first controller that has something to remember. */
  pool: '/pool',
  services: '/services',
  service: (service: string) => `/services/${service}`,
  version: (service: string, version: string) => `/services/${service}/${version}`,
  registration: (service: string, version: string, uuid: string) => `/services/${service}/${version}/${uuid}`,
  configs: '/config',
  config: (service: string) => `/config/${service}`,
  gateways: '/gateways',
  gateway: (id: string) => `/gateways/${id}`,
  /** Made by the first `mcp gateway release`. */
  released: '/released',
  /** Made by the first `mcp ab`. */
  trials: '/trials',
  budgets: '/budget',
  budget: (service: string) => `/budget/${service}`,
  events: '/events',
  rollouts: '/rollouts',
  /** Told by gateways to the machines whose registration they leave out. */
  quarantines: '/quarantine',
  quarantine: (uuid: string) => `/quarantine/${uuid}`,
  /** Made by the first rollout of the service; stays. */
  rollout: (service: string) => `/rollouts/${service}`,
} as const;

/** Persistent nodes that `formatRegistry` makes. */
export const rootNodes = [
  paths.leader,
  paths.history,
  paths.machines,
  paths.endedMachines,
  paths.services,
  paths.configs,
  paths.gateways,
  paths.budgets,
  paths.events,
  paths.rollouts,
  paths.quarantines,
] as const;

/** Version of this layout, kept in /cluster; another number is refused. */
export const layoutFormat = 1;
