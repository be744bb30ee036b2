/** Logs of long-lived processes: JSON lines on stdout, which `up` puts into the state folder's logs/. */
import { type Logger, pino } from 'pino';

/** A logger whose every line names the process. Values that could be secrets are struck out. */
export function daemonLog(name: string): Logger {
  return pino({
    name,
    base: { name },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: ['*.token', '*.password', '*.secret', '*.auth', '*.key'],
    serializers: { error: pino.stdSerializers.err },
  });
}
