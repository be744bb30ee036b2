/** Somebody ended a benchmark (Ctrl-C), and all that it had started has ended. */
export class Interrupted extends Error {}
