/** What a certificate says of itself: its names and its end. Signatures are Vault's affair; knows no request. */
import { X509Certificate } from 'node:crypto';

export interface Certified {
  /** Epoch seconds from which it is good no more. */
  readonly end: number;
  readonly names: readonly string[];
}

/** Subject and subject alternative names of an X.509 certificate in PEM. Undefined: it is none, or names what it may not (RFC 5280 §4.2.1.6). */
export function readX509(pem: string): (Certified & { readonly commonName: string }) | undefined {
  try {
    const found = new X509Certificate(pem);
    const subject = found.subject.split('\n');
    const commonNames = subject.filter((part) => part.startsWith('CN=')).map((part) => part.slice('CN='.length));
    const others = found.subjectAltName === undefined ? [] : found.subjectAltName.split(', ');
    // Quoted where a name holds what separates names.
    if (commonNames.length > 1 || !others.every((name) => /^DNS:[^",]+$/.test(name)) || found.ca) return undefined;
    return {
      commonName: commonNames[0] ?? '',
      names: others.map((name) => name.slice('DNS:'.length)),
      end: Math.floor(Date.parse(found.validTo) / 1000),
    };
  } catch {
    return undefined;
  }
}

/** How many fields of its public key stand between nonce and serial number, by type of key (OpenSSH PROTOCOL.certkeys). */
const KEY_FIELDS: ReadonlyMap<string, number> = new Map([
  ['ssh-ed25519', 1],
  ['ssh-rsa', 2],
  ['ecdsa-sha2-nistp256', 2],
  ['ecdsa-sha2-nistp384', 2],
  ['ecdsa-sha2-nistp521', 2],
]);
const USER = 1;
/** A public key of one line, without its comment; undefined: it is none, or of a kind that is not signed here. */
export function readSshKey(line: string): string | undefined {
  const [, type = '', blob = ''] = /^([a-z0-9-]{7,32}) ([A-Za-z0-9+/]{40,2048}={0,2})(?: [\x20-\x7e]{0,256})?\s*$/.exec(line) ?? [];
  const reader = readerOf(blob);
  const fields = KEY_FIELDS.get(type);
  if (fields === undefined || reader.text() !== type) return undefined;
  for (let i = 0; i < fields; i++) reader.bytes();
  return reader.over() ? `${type} ${blob}` : undefined;
}

/** A user certificate over `key`, a line of `readSshKey`. Undefined: it is none, of another key, or forms what it may not. */
export function readSshCertificate(line: string, key: string): (Certified & Options) | undefined {
  const [keyType = '', keyBlob = ''] = key.split(' ');
  const [, type = '', blob = ''] = /^(\S+) ([A-Za-z0-9+/]+={0,2})(?: .*)?\n?$/.exec(line) ?? [];
  if (type !== `${keyType}-cert-v01@openssh.com`) return undefined;
  const reader = readerOf(blob);
  const own = readerOf(keyBlob);
  if (reader.text() !== type) return undefined;
  own.text();
  reader.bytes(); // the nonce
  for (let i = 0; i < (KEY_FIELDS.get(keyType) ?? 0); i++) if (reader.bytes().compare(own.bytes()) !== 0) return undefined;
  reader.number(8); // the serial number
  const kind = reader.number(4);
  reader.bytes(); // the key id, which nobody is let in by
  const principals = readerOf(reader.bytes());
  const names: string[] = [];
  while (principals.left()) names.push(principals.text());
  reader.number(8); // its beginning
  const end = reader.number(8);
  const critical = pairs(reader.bytes());
  const extensions = [...pairs(reader.bytes()).keys()];
  if (kind !== USER || !reader.good() || !principals.over()) return undefined;
  return { names, end, critical, extensions };
}
interface Options {
  readonly critical: ReadonlyMap<string, string>;
  readonly extensions: readonly string[];
}
function pairs(bytes: Buffer): ReadonlyMap<string, string> {
  const reader = readerOf(bytes);
  const found = new Map<string, string>();
  while (reader.left()) {
    const name = reader.text();
    const value = readerOf(reader.bytes());
    found.set(name, value.left() ? value.text() : '');
  }
  return found;
}

/** RFC 4251 §5: strings with their length before them. Past the end everything is empty and nothing is good any more. */
function readerOf(from: string | Buffer) {
  const all = typeof from === 'string' ? Buffer.from(from, 'base64') : from;
  let at = 0;
  let good = true;
  const take = (length: number): Buffer => {
    good &&= at + length <= all.length;
    const part = good ? all.subarray(at, at + length) : Buffer.alloc(0);
    at += length;
    return part;
  };
  const number = (length: 4 | 8): number => {
    const part = take(length);
    if (part.length === 0) return 0;
    return length === 4 ? part.readUInt32BE() : Number(part.readBigUInt64BE());
  };
  const bytes = (): Buffer => take(number(4));
  return {
    number,
    bytes,
    text: (): string => bytes().toString('latin1'),
    left: (): boolean => good && at < all.length,
    good: (): boolean => good,
    over: (): boolean => good && at === all.length,
  };
}
