import { runTranscripts } from './run-transcripts.ts';

runTranscripts('byte by byte');
