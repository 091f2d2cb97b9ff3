/** Longest key in bytes, as sent (protocol.txt, "Keys"). */
export const KEY_MAX_LENGTH = 250;

/**
 * Bytes of a command line that may be waiting without its LF, for all lines but those that follow. A longer
 * line is still taken when its LF arrived together with it, as memcached does.
 */
export const LINE_MAX = 2048;

/** As LINE_MAX, for lines of get and gets. Memcached has no limit here; this one bounds memory. */
export const GET_LINE_MAX = 2 * 1024 * 1024;

/** As LINE_MAX, for lines that begin with `expire `: they carry batches of the expiry daemon. */
export const CONTROL_LINE_MAX = 64 * 1024;

/** Largest number of bytes that a storage command can announce: INT_MAX less the CRLF of the data block. */
export const VALUE_LENGTH_MAX = 2147483645;

