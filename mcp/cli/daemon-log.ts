/** Logs of long-lived processes: JSON lines on stdout, which `up` puts into the state folder's logs/. */
import { writeSync } from 'node:fs';
import { type Logger, pino } from 'pino';

const stdout = 1;

/** A logger whose every line names the process. Values that could be secrets are struck out. */
export function daemonLog(name: string): Logger {
  return pino(
    {
      name,
      base: { name },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: ['*.token', '*.password', '*.secret', '*.auth', '*.key'],
      serializers: { error: pino.stdSerializers.err },
    },
    { write: writeOrLose },
  );
}

/** A full disk or a reader that went away costs the line, never the daemon. */
function writeOrLose(line: string): void {
  try {
    writeSync(stdout, line);
  } catch {
    // There is nowhere left to say so.
  }
}
