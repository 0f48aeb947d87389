/** docker/compose.yml is of the Compose Specification's schema, gives nothing away, and mounts what is there or what `compose:prepare` makes. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { checkApp } from '../../src/app-check.ts';
import { parseConfig } from '../../src/config.ts';
import { createWorld } from '../../src/world.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const DOCKER = join(ROOT, 'docker');
const text = readFileSync(join(DOCKER, 'compose.yml'), 'utf8');
const document = parse(text, { merge: true }) as Compose;

/** A key, something as long as a generated secret, or a password that is given rather than read. */
const SECRET = /-----BEGIN|[A-Za-z0-9_-]{40,}|(password\s*[:=]|requirepass)\s*(?!\s|\{|"\$\$\(|%s)/i;

interface Service {
  readonly image: string;
  readonly build?: { readonly target: string };
  readonly command?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly secrets?: readonly (string | { readonly source: string })[];
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly networks?: readonly string[] | Readonly<Record<string, object>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: object;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<
    Record<string, { readonly internal?: boolean; readonly ipam?: { readonly config: readonly { readonly subnet: string }[] } }>
  >;
  readonly volumes: Readonly<Record<string, object>>;
  readonly secrets: Readonly<Record<string, { readonly file?: string; readonly environment?: string }>>;
}
const services = Object.entries(document.services);
const networksOf = ({ networks = [] }: Service): readonly string[] =>
  Array.isArray(networks) ? (networks as readonly string[]) : Object.keys(networks);

describe('compose.yml', () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  const valid = ajv.compile(JSON.parse(readFileSync(join(ROOT, 'test', 'vectors', 'compose-spec.json'), 'utf8')) as object);

  it('is of the schema of the Compose Specification', () => {
    assert.ok(valid(document), JSON.stringify(valid.errors, null, 2));
    const flawed = structuredClone(document) as unknown as { services: Record<string, Record<string, unknown>> };
    Object.assign(flawed.services['redis'] ?? {}, { readonly: true });
    assert.equal(valid(flawed), false, 'a misspelt word is found');
  });

  it('has two brokers that share everything but their operator’s socket', () => {
    const { 'broker-1': one, 'broker-2': two } = document.services;
    assert.ok(one && two);
    const alike = (service: Service): Service => ({
      ...service,
      volumes: (service.volumes ?? []).map((line) => line.replace(/^operator-\d:/, 'operator:')),
    });
    assert.deepEqual(alike(one), alike(two));
    assert.notDeepEqual(one.volumes, two.volumes);
    assert.equal(one.build?.target, 'broker');
    assert.deepEqual(one.depends_on, { redis: { condition: 'service_healthy' } });
  });

  it('gives no container more than it needs', () => {
    for (const [name, service] of services) {
      assert.equal(service.read_only, true, name);
      assert.deepEqual(service.cap_drop, ['ALL'], name);
      assert.deepEqual(service.security_opt, ['no-new-privileges:true'], name);
      assert.equal('privileged' in service || 'cap_add' in service || 'pid' in service, false, name);
      assert.match(service.image, /^\S+:(?!latest)[\w.-]+$/, name);
      for (const volume of service.volumes ?? []) assert.doesNotMatch(volume, /docker\.sock|^\//, name);
    }
  });

  it('publishes the front alone, on loopback, and lets nothing else out', () => {
    const published = services.filter(([, { ports = [] }]) => ports.length > 0);
    assert.deepEqual(
      published.map(([name, { ports }]) => [name, ports]),
      [['front', ['127.0.0.1:8443:8443']]],
    );
    const open = Object.entries(document.networks).filter(([, network]) => !network.internal);
    assert.deepEqual(
      open.map(([name]) => name),
      ['outside'],
    );
    assert.deepEqual(
      services.filter(([, service]) => networksOf(service).includes('outside')).map(([name]) => name),
      ['front'],
    );
  });

  it('has the store among brokers alone, and the database beside Vault', () => {
    const on = (network: string): readonly string[] =>
      services.filter(([, service]) => networksOf(service).includes(network)).map(([name]) => name);
    assert.deepEqual(on('data'), ['broker-1', 'broker-2', 'redis']);
    assert.deepEqual(on('database'), ['vault', 'postgres']);
    assert.deepEqual(on('between'), ['broker-1', 'broker-2', 'front']);
  });

  it('holds no secret, nor does any file beside it', () => {
    for (const [name, { environment = {} }] of services)
      for (const [variable, value] of Object.entries(environment)) {
        if (/PASSWORD|SECRET|TOKEN|KEY|USER_FILE/.test(variable))
          assert.match(`${variable}=${value}`, /_FILE=\/run\/secrets\/[\w.-]+$/, name);
        assert.doesNotMatch(value, /\$\{/, `${name}: what is left out would be empty`);
      }
    for (const [name, { file, environment }] of Object.entries(document.secrets)) {
      assert.equal(environment, undefined, name);
      assert.match(file ?? '', /^\.\/state\//, name);
    }
    for (const name of readdirSync(DOCKER).filter((one) => one !== 'state' && statSync(join(DOCKER, one)).isFile()))
      assert.doesNotMatch(readFileSync(join(DOCKER, name), 'utf8'), SECRET, name);
    for (const given of [
      '-----BEGIN PRIVATE KEY-----',
      `a: ${'0'.repeat(48)}`,
      'requirepass hunter2',
      'password: hunter2',
      'PASSWORD="hunter2"',
    ])
      assert.match(given, SECRET);
    assert.match(readFileSync(join(DOCKER, '.gitignore'), 'utf8'), /^state\/$/m);
  });

  it('names no secret, volume or network that is not declared', () => {
    for (const [name, service] of services) {
      for (const secret of service.secrets ?? [])
        assert.ok(document.secrets[typeof secret === 'string' ? secret : secret.source], `${name}: ${JSON.stringify(secret)}`);
      for (const volume of service.volumes ?? [])
        if (!volume.startsWith('.')) assert.ok(document.volumes[volume.split(':')[0] ?? ''] !== undefined, `${name}: ${volume}`);
      for (const network of networksOf(service)) assert.ok(document.networks[network] !== undefined, `${name}: ${network}`);
      for (const other of Object.keys(service.depends_on ?? {})) {
        assert.ok(document.services[other], `${name}: ${other}`);
        if (service.depends_on?.[other]?.condition === 'service_healthy' && !document.services[other]?.build)
          assert.ok(document.services[other]?.healthcheck, `${other}: who waits for it waits for ever`);
      }
    }
  });
});

describe('what compose.yml mounts', () => {
  const state = join(mkdtempSync(join(tmpdir(), 'countersign-compose-')), 'state');
  const prepare = (): string =>
    execFileSync(process.execPath, [join(ROOT, 'scripts', 'prepare-compose.ts'), '--folder', state], { encoding: 'utf8' });
  let said = '';
  before(() => {
    said = prepare();
  });
  after(() => rmSync(join(state, '..'), { recursive: true, force: true }));
  const place = (path: string): string => (path.startsWith('./state/') ? join(state, path.slice('./state/'.length)) : join(DOCKER, path));

  it('is there', () => {
    const mounted = services.flatMap(([, { volumes = [] }]) =>
      volumes.filter((one) => one.startsWith('.')).map((one) => one.split(':')[0] ?? ''),
    );
    for (const path of [...mounted, ...Object.values(document.secrets).map(({ file = '' }) => file)])
      assert.ok(existsSync(place(path)), path);
  });

  it('is nobody else’s on the machine, and the key file the brokers’ alone', () => {
    assert.equal(statSync(state).mode & 0o777, 0o700);
    const key = statSync(join(state, 'secrets', 'key'));
    assert.equal(key.mode & 0o777, 0o600);
    if (process.getuid?.() === 0) assert.equal(key.uid, 1000);
    else if (process.getuid?.() !== 1000) assert.match(said, /sudo chown 1000:1000/);
    assert.equal(existsSync(join(state, 'tls', 'ca.key')), false, 'nobody makes another certificate');
  });

  it('stays when it is made again, and what is missing comes back', () => {
    const read = (path: string): string => readFileSync(join(state, path), 'utf8');
    const before = ['secrets/redis', 'tls/ca.crt', 'agents.json', 'policies/manifest.json'].map(read);
    assert.equal(prepare().split('\n')[0], 'nothing was missing');
    assert.deepEqual(['secrets/redis', 'tls/ca.crt', 'agents.json', 'policies/manifest.json'].map(read), before);
    rmSync(join(state, 'secrets', 'postgres'));
    assert.match(prepare(), /^made {4}secrets\/postgres$/m);
  });

  it('is a configuration and a bundle that a broker takes', async () => {
    const config = parseConfig(
      JSON.parse(
        JSON.stringify(parse(readFileSync(join(DOCKER, 'countersign.yaml'), 'utf8')))
          .replaceAll('/etc/countersign/policies', join(state, 'policies'))
          .replaceAll('/run/secrets', join(state, 'secrets'))
          .replaceAll('/etc/countersign', join(state, 'tls')),
      ),
    );
    const lines = await checkApp(config, { world: createWorld(), environment: {} });
    assert.match(lines.join('\n'), /^configuration: good\nbundle: good — 3 agents, 1 servers/);
  });

  it('believes X-Forwarded-For of the network that the front shares with brokers alone', () => {
    const { proxies } = parse(readFileSync(join(DOCKER, 'countersign.yaml'), 'utf8')) as { proxies: readonly string[] };
    assert.deepEqual(
      proxies,
      document.networks['between']?.ipam?.config.map(({ subnet }) => subnet),
    );
    assert.match(readFileSync(join(DOCKER, 'nginx.conf'), 'utf8'), /proxy_set_header X-Forwarded-For \$remote_addr;/);
  });

  it('has a certificate for every name that a container is called by over TLS', () => {
    const names = { front: ['countersign.internal', 'shop.internal'], redis: ['redis'], vault: ['vault'], minio: ['minio'] };
    for (const [file, hosts] of Object.entries(names))
      for (const host of hosts) {
        const args = ['verify', '-CAfile', join(state, 'tls', 'ca.crt'), '-verify_hostname', host, join(state, 'tls', `${file}.crt`)];
        assert.match(execFileSync('openssl', args, { encoding: 'utf8' }), /: OK$/m, host);
      }
  });
});
