/** Certificates made by hand, so that every lie can be told. Signatures are real for X.509; an SSH certificate's is not looked at. */
import { generateKeyPairSync, sign } from 'node:crypto';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

function der(tag: number, ...parts: readonly (Buffer | string)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const length = body.length < 128 ? [body.length] : body.length < 256 ? [0x81, body.length] : [0x82, body.length >> 8, body.length & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'));
const ECDSA_SHA256 = der(0x30, oid('2a8648ce3d040302'));
const name = (cn: string): Buffer => der(0x30, der(0x31, der(0x30, oid('550403'), der(0x0c, cn))));
const time = (seconds: number): Buffer => der(0x17, `${new Date(seconds * 1000).toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`);

/** Subject alternative names as DER: 2 host, 7 address, 6 URI, 1 mail. */
export const hostName = (text: string): Buffer => der(0x82, text);
export const ipAddress = (...bytes: number[]): Buffer => der(0x87, Buffer.from(bytes));
export const uri = (text: string): Buffer => der(0x86, text);
export const mail = (text: string): Buffer => der(0x81, text);

export interface X509 {
  readonly commonName?: string;
  readonly names?: readonly Buffer[];
  /** Epoch seconds. */
  readonly end: number;
  readonly authority?: boolean;
}
export function x509({ commonName = 'shop.example', names = [], end, authority = false }: X509): string {
  const alternatives = der(0x30, oid('551d11'), der(0x04, der(0x30, ...names)));
  const constraints = der(0x30, oid('551d13'), der(0x04, der(0x30, der(0x01, Buffer.from([0xff])))));
  const extensions = [...(names.length > 0 ? [alternatives] : []), ...(authority ? [constraints] : [])];
  const whole = der(
    0x30,
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    ECDSA_SHA256,
    name('Tests'),
    der(0x30, time(end - 60), time(end)),
    name(commonName),
    publicKey.export({ type: 'spki', format: 'der' }),
    ...(extensions.length > 0 ? [der(0xa3, der(0x30, ...extensions))] : []),
  );
  const signature = sign('sha256', whole, privateKey);
  const cert = der(0x30, whole, ECDSA_SHA256, der(0x03, Buffer.from([0]), signature));
  return `-----BEGIN CERTIFICATE-----\n${cert.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
}
/** Of the right form; nobody looks inside but Vault. */
export const CSR = `-----BEGIN CERTIFICATE REQUEST-----\n${Buffer.alloc(96, 7).toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE REQUEST-----\n`;

const field = (part: Buffer | string): Buffer => {
  const bytes = Buffer.from(part);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
};
const uint64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
};
const uint32 = (value: number): Buffer => uint64(value).subarray(4);
const ED25519 = 'ssh-ed25519';
export const SSH_KEY = `${ED25519} ${Buffer.concat([field(ED25519), field(Buffer.alloc(32, 9))]).toString('base64')}`;

export interface Ssh {
  readonly principals?: readonly string[];
  readonly end: number;
  readonly kind?: 1 | 2;
  readonly key?: Buffer;
  readonly critical?: Readonly<Record<string, string>>;
  readonly extensions?: readonly string[];
  /** Bytes off its end. */
  readonly cut?: number;
}
export function sshCertificate(said: Ssh): string {
  const { principals = ['deploy'], end, kind = 1, key = Buffer.alloc(32, 9), critical = {}, extensions = [], cut = 0 } = said;
  const type = `${ED25519}-cert-v01@openssh.com`;
  const options = Object.entries(critical).map(([option, value]) => Buffer.concat([field(option), field(field(value))]));
  const whole = Buffer.concat([
    field(type),
    field(Buffer.alloc(32, 1)),
    field(key),
    uint64(1),
    uint32(kind),
    field('key id'),
    field(Buffer.concat(principals.map(field))),
    uint64(end - 60),
    uint64(end),
    field(Buffer.concat(options)),
    field(Buffer.concat(extensions.map((extension) => Buffer.concat([field(extension), field('')])))),
    field(''),
    field('authority'),
    field('signature'),
  ]);
  return `${type} ${whole.subarray(0, whole.length - cut).toString('base64')}\n`;
}
