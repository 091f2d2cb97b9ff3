import { describeEnvironment } from '../environment.ts';
import { measureBlockingCalls, writeBlockingReport } from './blocking-calls.ts';
import { measureContests } from './measure.ts';
import { writeMicroReport } from './micro-report.ts';
import { parsingGroup } from './parsing.ts';
import { rememberingGroup } from './remembering.ts';
import { samplingGroup } from './sampling.ts';
import { splittingGroup } from './splitting.ts';
import { bucketGroup, checksumGroup, orderGroup, storingGroup } from './storing.ts';
import { writingGroup } from './writing.ts';

/** Measures pure layers alone and the calls that they end in, and returns the report and every single figure. */
export async function runMicro(rounds: number, seconds: number, args: readonly string[]): Promise<{ report: string; json: unknown }> {
  const groups = [parsingGroup(), splittingGroup(), writingGroup(), storingGroup(), checksumGroup(), orderGroup(), bucketGroup(), rememberingGroup(), samplingGroup()];
  // Group after group: a table's figures are not to depend on those of another.
  const measured = new Map(groups.flatMap(({ contests }) => [...measureContests(contests, rounds, seconds)]));
  const blocking = await measureBlockingCalls(rounds, seconds);
  const environment = describeEnvironment(args);
  const json = groups.map(({ title, contests }) => ({
    title,
    contests: contests.map((contest) => ({ name: contest.name, bytes: contest.bytes, nanos: Object.fromEntries(measured.get(contest) ?? []) })),
  }));
  const report = `${writeMicroReport(groups, measured, environment, rounds, seconds)}\n${writeBlockingReport(blocking)}\n`;
  return { report, json: { environment, groups: json, blocking } };
}
