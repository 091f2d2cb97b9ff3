import { workloads } from './workloads.ts';

function names(isHeavy: boolean): string {
  const chosen = workloads.filter((workload) => (workload.isHeavy ?? false) === isHeavy);
  return chosen.map(({ name, title }) => `  ${name.padEnd(22)}${title}`).join('\n');
}

/** The help text. */
export const usage = `Usage: npm run bench -- [options]

Measures tugela-ts beside other servers: each is started on a free port of 127.0.0.1 with its data in a
temporary directory, and all take turns within every round. Without options it takes some twenty minutes.

What is measured:
  --workloads <a,b>     only these (default all of the first list below)
  --all                 those of the second list too, and --scale 10000,100000,1000000,10000000: hours, and 10 GB of disk
  --scale <n,n>         how the cost grows: gets and sets of 100 B with so many items (alone, unless workloads
                        are named)
  --trace <file>        recorded traffic as well (alone, unless workloads are named); its format is that of
                        test/trace/trace.ts
  --eviction            hit rates of ways to evict from disk, alone: no servers; of the other options only --trace,
                        --requests (of each workload, default 1000000), --value (bytes, default 1000; up to 256 they
                        lie in LevelDB's rows, over which a hand goes by thousands: take --items 1000000), --items,
                        --seed, --dir, --json and --markdown count
  --ram                 the same of the RAM tier, beside models of the same size; of the other options --trace, --requests,
                        --value, --items, --seed, --json, --markdown and --figures count
  --micro               what pure layers cost alone: no servers; of the other options only --rounds, --seconds,
                        --json, --markdown and --figures count

Who takes part:
  --servers <a,b>       only these (default all: tugela, memcached, redis, level, floor, and every --peer)
  --peer <name=command> a further memcached-protocol server; a shell runs the command, {port} and {dir} are
                        filled in; may be repeated
  --compare <revision>  builds that revision of this repository and measures it as tugela@<revision>, by default
                        beside tugela alone; then it is the reference too, unless told otherwise
  --reference <name>    the server that ratios refer to (default memcached)

How:
  --rounds <n>          rounds per workload; figures are medians over them (default 3; 25 with --micro)
  --seconds <s>         how long a server is measured in a round (default 2; 0.02 with --micro)
  --connections <n>     connections of the load generator (default 50), where the workload is not about them
  --items <n>           items that are stored (default 100000; heavy workloads have more, those of 100 KB fewer)
  --memory <mb>         megabytes for items in memory, of servers that have them on disk too (default 1024; the big
                        workloads have 64)
  --rate <n>            requests per second of open loads (default half of what a server bears in the same round)
  --seed <n>            seed of keys, values and their order (default 1)
  --dir <dir>           where the temporary directory is made (default the system's): put it on the disk that counts

Results, besides the report on stdout:
  --json <file>         write every single measurement there
  --markdown <file>     write the report there
  --figures <name>      write the report into docs/benchmarks.md, between its marks of that name (default, heavy,
                        scale, trace, micro, ram)
  --help                print this

Workloads:
${names(false)}

Run only when they are named, or with --all:
${names(true)}
`;
