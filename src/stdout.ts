import { messageOf, systemCodeOf } from './errors.ts';

/**
 * Writes to stdout. Resolves when it is written, or when nobody reads it: `head` has what it wanted.
 *
 * @throws Error when it cannot be written for another reason, such as a full disk
 */
export function print(text: string): Promise<void> {
  const { stdout } = process;
  // The callback below is told too, but a stream whose errors nobody listens to ends the process with a stack trace.
  if (stdout.listenerCount('error') === 0) stdout.on('error', () => {});
  return new Promise((resolve, reject) => {
    stdout.write(text, (error) => {
      // A stream that was given up says so of each further write.
      if (error == null || ['EPIPE', 'ERR_STREAM_DESTROYED'].includes(systemCodeOf(error) ?? '')) resolve();
      else reject(new Error(`Cannot write output: ${messageOf(error)}`, { cause: error }));
    });
  });
}
