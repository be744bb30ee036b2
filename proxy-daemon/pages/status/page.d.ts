/** What the daemon uses of the page. */
import type { RatesReport } from '../../rate-history.ts';
import type { StatusReport } from '../../status-report.ts';
import type { TrafficReport } from '../../version-figures.ts';

export interface World {
  status: StatusReport;
  traffic: Omit<TrafficReport, 'gateway'>;
  rates: RatesReport;
  doors: StatusReport['doors'];
  rollouts: StatusReport['rollouts'];
  /** ms since the Unix epoch. */
  now: number;
}

/** The page as it is at this moment, to be read without JavaScript too. Yields between services. */
export function pageHtml(world: World): Generator<string>;
