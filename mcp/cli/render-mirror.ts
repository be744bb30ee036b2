/** What came of copies of requests, as people read it. */
import type { MirrorFigures } from '../../proxy-daemon/version-figures.ts';
import { paint } from './output.ts';

export function mirrorLines(service: string, version: string, copies: MirrorFigures, color: boolean): string[] {
  const { same, differing, failed, leftOut, conforming, deviating, example } = copies;
  const compared = conforming + deviating;
  const bodies =
    compared === 0
      ? 'bodies: none compared'
      : `bodies: ${conforming} of ${compared} compared had the same shape, ${paint(color, deviating > 0 ? 'red' : 'dim', `${deviating} another`)}`;
  return [
    `mirrored to ${service} ${version}: ${same} answered by the same status, ${differing} by another, ${failed} not at all; ${leftOut} not sent`,
    `  ${bodies}`,
    ...(example ? [`  last: ${exampleText(example)}`] : []),
  ];
}

function exampleText({
  at,
  against,
  operation,
  status,
  basis,
  where,
  expected,
  found,
}: NonNullable<MirrorFigures['example']>): string {
  const by = basis === 'document' ? `the document of ${against} says` : `${against} answered`;
  const time = new Date(at).toISOString().slice(0, 19).replace('T', ' ');
  return `${operation} ${status}, ${where === '' ? 'the whole body' : where}: ${found}, where ${by} ${expected} (${time}Z)`;
}
