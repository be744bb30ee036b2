/** One link of the walk that `mcp why` takes. */
export interface Link {
  link:
    | 'declaration'
    | 'controller'
    | 'claims'
    | 'machines'
    | 'agents'
    | 'health'
    | 'registrations'
    | 'routes'
    | 'document';
  ok: boolean;
  /** What was found, one fact a line. */
  evidence: string[];
  /** The next command to try; only where the link is broken. */
  try?: string;
}
