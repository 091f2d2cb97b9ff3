/** Attempts to authenticate, for stats: `auth_cmds` and `auth_errors`. */
export interface AuthCounts {
  /** Attempts that came to an end, good or bad. */
  commands: number;
  /** Those that failed. */
  errors: number;
}
