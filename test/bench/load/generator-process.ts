/**
 * The load generator's process: one argument, a `LoadSpec` as JSON; then a `RunAnswer` for every `RunOrder`. A process
 * of its own, so that neither the bench nor the server's work shows in its latencies.
 */
import { Generator } from './generator.ts';
import type { LoadSpec, RunAnswer, RunOrder } from './load-spec.ts';

const generator = new Generator(JSON.parse(process.argv[2] ?? '') as LoadSpec);

function answer(message: RunAnswer): void {
  process.send?.(message);
}

process.on('message', (order: RunOrder) => {
  generator.run(order.seconds).then(
    (measured) => answer(measured),
    (error: unknown) => answer({ failure: error instanceof Error ? error.message : String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
