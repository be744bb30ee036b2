/** How `up` tells what it is doing, whoever shows it. */

/** Says what is going on: `start` begins a step, `tell` changes its text. Steps end when the next one starts. */
export interface Progress {
  start(title: string): void;
  tell(detail: string): void;
}
