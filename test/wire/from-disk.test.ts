import { runTranscripts } from './run-transcripts.ts';

runTranscripts('from disk');
