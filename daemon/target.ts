/** The contract between the sweeper and what it sweeps; its home is beside the checks that keep it. */
export type {
  CompactReport,
  DueList,
  DueRow,
  IndexState,
  ItemList,
  ListedItem,
  ListQuery,
  ReapReport,
  SweepTarget,
} from '../src/upkeep/sweep-target.ts';
