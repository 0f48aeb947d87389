/** The key file: 32 random bytes from which every secret of this broker is derived. Knows files and ciphers; may not know what is sealed. */
import { createCipheriv, createDecipheriv, createHmac, createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, fsyncSync, linkSync, mkdirSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { ConfigError, Unavailable } from '../errors.ts';
import type { Json } from '../wire/json.ts';
import type { Secret } from './secret.ts';

const SECRET_BYTES = 32;
const NONCE_BYTES = 24;
const TAG_BYTES = 16;
/** Names the form, so that a later one can stand beside it. */
const FORM = 's1.';
/** Longer than any right content, so that a wrong file is seen as such and never read whole. */
const MAX_FILE_BYTES = 256;

/** Constant texts, each with its remedy; neither path nor content stands in one. */
const PROBLEMS = {
  missing: 'keys.secret: the key file is missing, and what the store holds was sealed under it; put the file back from your backup',
  readable: 'keys.secret: other users of this machine can read the key file; run `chmod 600` on it, and rotate the keys if others may have',
  irregular: 'keys.secret: the key file is not a regular file; name the file itself',
  malformed: 'keys.secret: not 32 bytes in unpadded base64url; put the right secret back, since a new one opens nothing sealed before',
  unreadable: 'keys.secret: this process may not read the key file; let the user that runs the broker own it',
  uncreatable: 'keys.secret: the key file cannot be created; let the user that runs the broker write to its folder',
} as const;

/**
 * The secret of a key file, or of a value that a secret store put into the environment. With `create` an absent file is made: 0600, whole or
 * not at all, never over another one. The caller allows it only while there is no store yet, since a new secret opens nothing old.
 * Throws ConfigError with a constant text.
 */
export function openSecret(
  source: { readonly file: string } | { readonly value: string },
  options: { readonly create?: boolean } = {},
): Secret {
  if ('value' in source) return derive(decode(source.value));
  const text = readKeyFile(source.file) ?? (options.create ? createKeyFile(source.file) : undefined);
  if (text === undefined) throw new ConfigError([PROBLEMS.missing]);
  return derive(decode(text));
}

function decode(text: string): Buffer {
  const trimmed = text.replace(/\r?\n$/, '');
  const bytes = Buffer.from(trimmed, 'base64url');
  if (bytes.length !== SECRET_BYTES || bytes.toString('base64url') !== trimmed) throw new ConfigError([PROBLEMS.malformed]);
  return bytes;
}

function readKeyFile(file: string): string | undefined {
  let descriptor: number;
  try {
    // Without O_NONBLOCK a pipe under this name would stop the start for ever.
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (fault) {
    if (codeOf(fault) === 'ENOENT') return undefined;
    throw new ConfigError([PROBLEMS.unreadable]);
  }
  try {
    const { mode, ...stats } = fstatSync(descriptor);
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) throw new ConfigError([PROBLEMS.irregular]);
    if ((mode & 0o077) !== 0) throw new ConfigError([PROBLEMS.readable]);
    if (stats.size > MAX_FILE_BYTES) throw new ConfigError([PROBLEMS.malformed]);
    const bytes = Buffer.alloc(MAX_FILE_BYTES);
    return bytes.toString('utf8', 0, readSync(descriptor, bytes, 0, MAX_FILE_BYTES, 0));
  } finally {
    closeSync(descriptor);
  }
}

/** Written beside and linked into place: a kill leaves no half file, and of two brokers that start together both use the first one's. */
function createKeyFile(file: string): string | undefined {
  const draft = `${file}.${randomBytes(6).toString('hex')}.new`;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const descriptor = openSync(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    try {
      writeSync(descriptor, `${randomBytes(SECRET_BYTES).toString('base64url')}\n`);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    try {
      linkSync(draft, file);
    } catch (fault) {
      if (codeOf(fault) !== 'EEXIST') throw fault;
    }
    const folder = openSync(dirname(file), constants.O_RDONLY);
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  } catch (fault) {
    if (fault instanceof ConfigError) throw fault;
    throw new ConfigError([PROBLEMS.uncreatable]);
  } finally {
    rmSync(draft, { force: true });
  }
  return readKeyFile(file);
}

function derive(root: Buffer): Secret {
  const purpose = (name: string): Buffer => Buffer.from(hkdfSync('sha256', root, Buffer.alloc(0), `countersign/${name}/v1`, 32));
  const cipher = extended(createSecretKey(purpose('seal')));
  const macs = {
    approval: createSecretKey(purpose('mac/approval')),
    arguments: createSecretKey(purpose('mac/arguments')),
    console: createSecretKey(purpose('mac/console')),
    nonce: createSecretKey(purpose('mac/nonce')),
    passkey: createSecretKey(purpose('mac/passkey')),
    receipt: createSecretKey(purpose('mac/receipt')),
    retry: createSecretKey(purpose('mac/retry')),
  };
  root.fill(0);
  return {
    seal(name, value) {
      const nonce = randomBytes(NONCE_BYTES);
      return FORM + Buffer.concat([nonce, cipher.encrypt(nonce, Buffer.from(JSON.stringify(value)), name)]).toString('base64url');
    },
    open(name, sealed) {
      const text = typeof sealed === 'string' && sealed.startsWith(FORM) ? sealed.slice(FORM.length) : '';
      const bytes = Buffer.from(text, 'base64url');
      if (bytes.length < NONCE_BYTES + TAG_BYTES || bytes.toString('base64url') !== text) throw new Unavailable('seal');
      const plain = cipher.decrypt(bytes.subarray(0, NONCE_BYTES), bytes.subarray(NONCE_BYTES), name);
      if (!plain) throw new Unavailable('seal');
      return JSON.parse(plain.toString('utf8')) as Json;
    },
    mac: (use, text) => createHmac('sha256', macs[use]).update(text).digest('base64url'),
  };
}

/**
 * AES-256-GCM under a key of each message's own, from a nonce of 24 bytes (C2SP XAES-256-GCM). With GCM's own 12 random bytes one key may
 * seal 2^32 messages, which a busy broker reaches within weeks; the key file lives for years.
 */
export function extended(key: KeyObject): {
  encrypt(nonce: Uint8Array, plain: Uint8Array, name: string): Buffer;
  decrypt(nonce: Uint8Array, sealed: Uint8Array, name: string): Buffer | undefined;
} {
  const block = (input: Uint8Array): Buffer => {
    const ecb = createCipheriv('aes-256-ecb', key, null);
    ecb.setAutoPadding(false);
    return ecb.update(input);
  };
  // CMAC's subkey (NIST SP 800-38B §6.1): doubling in GF(2^128).
  const first = block(Buffer.alloc(16));
  const subkey = Buffer.alloc(16);
  for (let i = 0; i < 16; i++) subkey[i] = ((first[i] ?? 0) << 1) | ((first[i + 1] ?? 0) >> 7);
  if ((first[0] ?? 0) & 0x80) subkey[15] = (subkey[15] ?? 0) ^ 0x87;

  function keyOf(nonce: Uint8Array): Buffer {
    const half = (counter: number): Buffer => {
      const input = Buffer.concat([Buffer.from([0, counter, 0x58, 0]), nonce.subarray(0, 12)]);
      for (let i = 0; i < 16; i++) input[i] = (input[i] ?? 0) ^ (subkey[i] ?? 0);
      return block(input);
    };
    return Buffer.concat([half(1), half(2)]);
  }
  return {
    encrypt(nonce, plain, name) {
      const gcm = createCipheriv('aes-256-gcm', keyOf(nonce), nonce.subarray(12), { authTagLength: TAG_BYTES });
      gcm.setAAD(Buffer.from(name));
      return Buffer.concat([gcm.update(plain), gcm.final(), gcm.getAuthTag()]);
    },
    decrypt(nonce, sealed, name) {
      const gcm = createDecipheriv('aes-256-gcm', keyOf(nonce), nonce.subarray(12), { authTagLength: TAG_BYTES });
      gcm.setAAD(Buffer.from(name));
      gcm.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
      try {
        return Buffer.concat([gcm.update(sealed.subarray(0, sealed.length - TAG_BYTES)), gcm.final()]);
      } catch {
        return undefined;
      }
    },
  };
}

const codeOf = (fault: unknown): unknown => (fault instanceof Error && 'code' in fault ? fault.code : undefined);
