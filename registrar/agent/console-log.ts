/**
 * The console of a machine as a log: what its agent and its service say, whole lines, each with who said it. It is the only
 * way out for them where the machine is gone before anyone could ask, so it must never hold up or drown anybody.
 */
import { stripVTControlCharacters } from 'node:util';
import type { Clock } from '../clock.ts';

export interface ConsoleBounds {
  /** Bytes that may come at once. */
  burstBytes: number;
  /** Bytes a second in the long run: an emulated serial line takes about 100,000, and whoever writes to it waits. */
  bytesPerSecond: number;
}

const defaultBounds: ConsoleBounds = { burstBytes: 64 * 1024, bytesPerSecond: 16 * 1024 };
const mostOfLine = 1_000;

/** One who speaks on the console. */
export interface ConsoleVoice {
  write(data: string | Uint8Array): void;
}

export class ConsoleLog {
  readonly #print: (text: string) => void;
  readonly #clock: Clock;
  readonly #bounds: ConsoleBounds;
  #credit: number;
  #countedAt: number;
  #dropped = 0;

  constructor(print: (text: string) => void, clock: Clock, bounds: ConsoleBounds = defaultBounds) {
    this.#print = print;
    this.#clock = clock;
    this.#bounds = bounds;
    this.#credit = bounds.burstBytes;
    this.#countedAt = clock.monotonic();
  }

  /** What is written is shown line by line as `<name>: <line>`; `render` may shorten a line, or keep it back with null. */
  voice(name: string, render: (line: string) => string | null = (line) => line): ConsoleVoice {
    const decoder = new TextDecoder();
    let rest = '';
    const say = (line: string) => {
      const text = render(line);
      if (text !== null) this.#say(`${name}: ${oneLine(text)}\n`);
    };
    return {
      write: (data) => {
        const lines = (rest + (typeof data === 'string' ? data : decoder.decode(data, { stream: true }))).split('\n');
        rest = lines.pop() ?? '';
        lines.forEach(say);
        if (rest.length < mostOfLine) return;
        say(rest);
        rest = '';
      },
    };
  }

  #say(line: string): void {
    const { burstBytes, bytesPerSecond } = this.#bounds;
    const now = this.#clock.monotonic();
    this.#credit = Math.min(burstBytes, this.#credit + ((now - this.#countedAt) / 1_000) * bytesPerSecond);
    this.#countedAt = now;
    if (line.length > this.#credit) {
      this.#dropped += 1;
      return;
    }
    const skipped = this.#dropped === 0 ? '' : `mcp: ${this.#dropped} lines not shown\n`;
    this.#dropped = 0;
    this.#credit -= line.length;
    this.#print(skipped + line);
  }
}

/** A service's words must not move the cursor of whoever reads the console, nor pass for another's line. */
function oneLine(text: string): string {
  const clean = stripVTControlCharacters(text).replace(/[^\P{Cc}\t]/gu, '');
  return clean.length > mostOfLine ? `${clean.slice(0, mostOfLine)}...` : clean;
}

const words: Record<number, string> = { 40: 'warning: ', 50: 'error: ', 60: 'fatal: ' };
/** Of no use on the machine's own console. */
const known = new Set(['level', 'time', 'msg', 'machine']);

/** A line of pino's as people read it: `phase phase=serving`. */
export function renderLogLine(line: string): string {
  try {
    const facts = JSON.parse(line) as Record<string, unknown>;
    const rest = Object.entries(facts).filter(([name, value]) => !known.has(name) && value !== '');
    const said = rest.map(([name, value]) => `${name}=${renderFact(value)}`);
    return [`${words[Number(facts.level)] ?? ''}${facts.msg}`, ...said].join(' ');
  } catch {
    return line;
  }
}

function renderFact(value: unknown): string {
  const { message } = Object(value) as { message?: unknown };
  if (typeof message === 'string') return message;
  return typeof value === 'string' ? value.replaceAll('\n', ' | ') : JSON.stringify(value);
}
