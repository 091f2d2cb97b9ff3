import { networkInterfaces } from 'node:os';

/** An address of this machine that others reach it by: who connects to it is no local client. Undefined where there is none. */
export const outsideAddress: string | undefined = Object.values(networkInterfaces())
  .flat()
  .find((each) => each?.family === 'IPv4' && !each.internal)?.address;
