/** What to do about a store that LevelDB or we find damaged, for the end of a message. */
export function repairAdvice(directory: string): string {
  return `; "tugela-ts store repair ${directory} --into NEWDIR" saves what can be read, and leaves it as it is`;
}

/** What to do about files that may not be read or written, for the end of a message; empty for other errors. */
export function accessAdvice(problem: string): string {
  if (/EROFS|Read-only file system/.test(problem)) return '; its file system is mounted read-only: see the kernel\'s log, and "mount -o remount,rw"';
  if (/EACCES|EPERM|Permission denied|Operation not permitted/.test(problem)) {
    return '; the directory and all files in it must belong to the user that runs this: "chown -R USER DIR" as root';
  }
  return '';
}
