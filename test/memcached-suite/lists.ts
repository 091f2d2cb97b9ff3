/** One start of a test file. */
export interface SuiteRun {
  readonly file: string;
  /** Over TLS. */
  readonly tls?: true;
  /** Gives itself users with saslpasswd2. */
  readonly sasl?: true;
  /** Listens on every address, which is right only where nobody else can come. */
  readonly wildcard?: true;
  /** After so long it is ended (default 120). */
  readonly limitSeconds?: number;
  /** Where not all of it applies. */
  readonly part?: Part;
}

/** How much of a file applies. */
export interface Part {
  readonly why: string;
  /** Numbers of the subtests that may fail. */
  readonly mayFail?: readonly number[];
  /** The file is ended when so many subtests are through. */
  readonly stopAfter?: number;
}

/** Files that say nothing about this server, and why. */
export interface LeftOut {
  readonly why: string;
  readonly files: readonly string[];
}

/** What is run, of memcached 1.6.45. */
export const runs: readonly SuiteRun[] = [
  ...plain(`
    00-startup ascii-auth ascii-auth2 binary-get bogus-commands cas daemonize expirations flags flush-all getandtouch
    idle-timeout incrdecr issue_104 issue_108 issue_152 issue_192 issue_3 issue_41 issue_50 issue_61 issue_67 issue_68
    issue_70 item_size_max malicious-commands maxconns metaget multiversioning noreply quit shutdown stats-detail stats
    strtol-testing touch udp unixsocket watcher_connid`),
  { file: 'binary.t', limitSeconds: 300 },
  { file: 'chunked-items.t', limitSeconds: 300 },
  { file: 'getset.t', limitSeconds: 300 },
  { file: 'lru-crawler.t', limitSeconds: 300 },
  { file: 'stats-conns.t', wildcard: true },
  { file: 'binary-sasl.t', sasl: true },
  ...plain('ssl_cert_refresh ssl_ports ssl_proto_version ssl_session_resumption ssl_settings ssl_verify_modes').map(
    (run): SuiteRun => ({ ...run, tls: true }),
  ),
  { file: 'binary.t', tls: true, limitSeconds: 300 },
  { file: 'getset.t', tls: true, limitSeconds: 300 },
  {
    file: 'restart.t',
    limitSeconds: 300,
    part: { why: 'what the memory file is and is called, and the size of the hash table', mayFail: [1, 2, 23, 25, 52] },
  },
  {
    file: 'watcher.t',
    limitSeconds: 300,
    part: { why: 'all after the wait for an eviction, which never comes: what is too much for RAM stays on disk', stopAfter: 13 },
  },
];

/** What is not run. */
export const leftOut: readonly LeftOut[] = [
  {
    why: 'looks into slabs, or counts memory that is used again',
    files: names(`
      64bit issue_14 issue_163 issue_183 issue_29 issue_42 slabs-cas slabs-mover slabs-reassign-chunked slabs-reassign2
      slabs_reassign`),
  },
  { why: 'looks into the LRU queues', files: names('lru lru-maintainer') },
  { why: 'wants items to be evicted when RAM is full', files: names('dyn-maxbytes evictions issue_22') },
  { why: 'wants stores to fail when RAM is full, and stores until they do', files: names('dash-M') },
  { why: 'wants replies to fail for lack of buffers (read_buf_mem_limit)', files: names('conn-limits') },
  { why: 'asks the debug build to do what its system call filter forbids', files: names('misbehave') },
  {
    why: 'needs extstore',
    files: names(`
      binary-extstore chunked-extstore error-extstore extstore extstore-buckets extstore-cas extstore-jbod
      extstore-overdel extstore-start extstore-tiered extstore-tiered2`),
  },
  {
    why: 'needs the proxy',
    files: names(`
      proxyantiflap proxybestats proxyconfig proxyconfigmulti proxycron proxydepthlim proxyfuncgen proxyins
      proxyinternal proxyinternal2 proxyintext proxyintstats proxylimits proxymatch proxyms proxymut proxyratelim
      proxyrctxtimeout proxyrequest proxyroutelib proxyrouter proxyslotcache proxytags proxyunits proxyustats`),
  },
  { why: 'always skips itself', files: names('issue_140 issue_260 refhang slabhang') },
  { why: 'checks how source files are written', files: names('line-lengths whitespace') },
];

function plain(text: string): SuiteRun[] {
  return names(text).map((file) => ({ file }));
}

function names(text: string): string[] {
  return text
    .trim()
    .split(/\s+/)
    .map((name) => `${name}.t`);
}
