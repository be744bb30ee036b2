import { parentPort } from 'node:worker_threads';
import { isMcpError } from '../../specs/errors.ts';
import { type Job, runJob } from './jobs.ts';

/** The thread's own end of document-thread.ts: one job at a time, one answer each. */
parentPort?.on('message', async (job: Job) => {
  try {
    parentPort?.postMessage({ result: await runJob(job) });
  } catch (error) {
    const { message } = error as Error;
    parentPort?.postMessage({
      failure: isMcpError(error)
        ? { code: error.code, message, hint: error.hint, retryable: error.retryable }
        : {
            code: 'DOCUMENT_INVALID',
            message: `can't be processed: ${message.slice(0, 300)}`,
            hint: '',
            retryable: false,
          },
    });
  }
});
parentPort?.postMessage('ready');
