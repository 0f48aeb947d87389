/** Which addresses a receiver may have. Resolved once; the connection goes to what was looked at, so that a name cannot answer twice. */
import { type LookupAddress, lookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** What is no one's public address (RFC 6890), and IPv6 that carries an IPv4 address of somebody's choice. */
const INWARD4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const;
const INWARD6 = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const;
const inward = new BlockList();
for (const [net, bits] of INWARD4) inward.addSubnet(net, bits, 'ipv4');
for (const [net, bits] of INWARD6) inward.addSubnet(net, bits, 'ipv6');
/** Global unicast: whatever lies outside is loopback, link-local, unique-local, mapped, translated or nothing yet. */
const outward6 = new BlockList();
outward6.addSubnet('2000::', 3, 'ipv6');

/** Not on the public Internet, or no address at all. */
export function isInward(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return inward.check(address, 'ipv4');
    case 6:
      return inward.check(address, 'ipv6') || !outward6.check(address, 'ipv6');
    default:
      return true;
  }
}

export class Inward extends Error {
  readonly code = 'ERR_INWARD';
}
/** As `net.connect` asks: one inward address among several and none is used. */
export function guardedLookup(resolve: (host: string) => Promise<readonly LookupAddress[]> = resolveAll): LookupFunction {
  return (host, { all }, done) => {
    resolve(host).then(
      (found) => {
        const [first] = found;
        if (!first || found.some(({ address }) => isInward(address))) done(new Inward('inward address'), '', 0);
        else if (all) done(null, [...found]);
        else done(null, first.address, first.family);
      },
      (fault: NodeJS.ErrnoException) => done(fault, '', 0),
    );
  };
}
const resolveAll = (host: string): Promise<readonly LookupAddress[]> =>
  new Promise((resolve, reject) => lookup(host, { all: true, verbatim: true }, (fault, found) => (fault ? reject(fault) : resolve(found))));
