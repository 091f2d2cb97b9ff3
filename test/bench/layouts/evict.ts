import { type ChildProcess, spawn } from "node:child_process";

/**
 * For python3: takes the files of a directory from the page cache, and what a process has mapped of them, again and again.
 * Arguments: the process, the directory, seconds between. Prints `ready` after the first time.
 */
export const EVICT_SCRIPT = `
import ctypes, os, sys, time
pid, root = int(sys.argv[1]), sys.argv[2]
libc = ctypes.CDLL(None)
class Range(ctypes.Structure): _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]
pidfd, first = libc.syscall(434, pid, 0), True
while True:
    for line in open(f"/proc/{pid}/maps"):
        if root in line:
            start, end = (int(x, 16) for x in line.split()[0].split("-"))
            libc.syscall(440, pidfd, ctypes.byref(Range(start, end - start)), 1, 21, 0)
    for folder, _, names in os.walk(root):
        for name in names:
            try: fd = os.open(os.path.join(folder, name), os.O_RDONLY)
            except OSError: continue
            if first: os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)
    if first: print("ready", flush=True)
    first = False
    time.sleep(float(sys.argv[3]))
`;

/** Keeps the files under a directory out of memory until killed; undefined where that cannot be done. */
export async function startEvicting(directory: string, everyMs: number): Promise<ChildProcess | undefined> {
  const child = spawn("python3", ["-c", EVICT_SCRIPT, String(process.pid), directory, String(everyMs / 1000)], { stdio: ["ignore", "pipe", "inherit"] });
  const ready = await new Promise<boolean>((resolve) => {
    child.stdout.once("data", () => resolve(true));
    child.once("error", () => resolve(false)).once("exit", () => resolve(false));
  });
  return ready ? child : undefined;
}
