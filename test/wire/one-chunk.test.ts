import { runTranscripts } from './run-transcripts.ts';

runTranscripts('one chunk');
