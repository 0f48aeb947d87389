/**
 * A key's own certificate, for who reads keys from certificates alone: some back ends want `x5c` beside the key (RFC 7517 §4.7). It vouches for
 * nobody. Made by hand, since it is one fixed form, and libraries that write certificates bring ten others.
 */
import { type KeyObject, sign } from 'node:crypto';

/** X.690: tag, length, content. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...head]), ...parts]);
}
const [INTEGER, BITS, NULL, OID, UTF8, SEQUENCE, SET, TIME, LONG_TIME] = [0x02, 0x03, 0x05, 0x06, 0x0c, 0x30, 0x31, 0x17, 0x18];
const oid = (hex: string): Buffer => der(OID, Buffer.from(hex, 'hex'));
const RSA_SHA256 = der(SEQUENCE, oid('2a864886f70d01010b'), der(NULL)); // sha256WithRSAEncryption (RFC 4055 §5)
const COMMON_NAME = oid('550403');
/** As long as there are such dates (RFC 5280 §4.1.2.5): how long a key holds is the key ring's to say. */
const ALWAYS = der(SEQUENCE, der(TIME, Buffer.from('700101000000Z')), der(LONG_TIME, Buffer.from('99991231235959Z')));

/** Self-signed X.509 of an RSA key pair, DER. `name` has 1 to 64 letters; `serial` is random, 15 bytes. */
export function selfSigned(
  pair: { readonly publicKey: KeyObject; readonly privateKey: KeyObject },
  { name, serial }: { readonly name: string; readonly serial: Uint8Array },
): Buffer {
  const who = der(SEQUENCE, der(SET, der(SEQUENCE, COMMON_NAME, der(UTF8, Buffer.from(name)))));
  const spki = pair.publicKey.export({ type: 'spki', format: 'der' });
  // Version 1, by absence: without extensions there is nothing for the others to say. Its first byte keeps the serial positive.
  const signed = der(SEQUENCE, der(INTEGER, Buffer.from([1]), serial), RSA_SHA256, who, ALWAYS, who, spki);
  return der(SEQUENCE, signed, RSA_SHA256, der(BITS, Buffer.from([0]), sign('sha256', signed, pair.privateKey)));
}
