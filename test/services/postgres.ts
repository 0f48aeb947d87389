/** PostgreSQL for tests: a cluster of its own, asked by psql as whom the test says. */
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { launch, newFolder, newSecret, output, type Service, servicePort } from './program.ts';
import { pathOf } from './provision.ts';

export interface Login {
  readonly user: string;
  readonly password: string;
  /** postgres. */
  readonly database?: string;
}
export interface Postgres extends Service {
  readonly host: string;
  readonly port: number;
  /** A superuser: what Vault's database engine and the test's own tables use. */
  readonly admin: Login;
  /** With a user and password in it. */
  url(login?: Login): string;
  /** Rows as text; as the administrator unless a login is given. Errors: PostgreSQL's own text, also when the login is refused. */
  query(sql: string, login?: Login): Promise<readonly (readonly string[])[]>;
}
const HOST = '127.0.0.1';
const ROW = '\x1e';
const FIELD = '\x1f';

export async function startPostgres(): Promise<Postgres> {
  const port = await servicePort();
  const admin: Login = { user: 'admin', password: newSecret() };
  const folder = newFolder('postgres');
  const account = await otherThanRoot();
  const as = account ?? {};
  const data = join(folder.path, 'data');
  mkdirSync(data, { mode: 0o700 });
  const secret = join(folder.path, 'password');
  writeFileSync(secret, admin.password, { mode: 0o600 });
  if (account) {
    for (const path of [data, secret]) chownSync(path, account.uid, account.gid);
    chmodSync(folder.path, 0o711);
  }
  try {
    const init = ['-D', data, '-U', admin.user, '--pwfile', secret, '--auth=scram-sha-256', '--no-sync', '--no-locale', '-E', 'UTF8'];
    await output(pathOf('postgres', 'initdb'), init, { cwd: folder.path, ...as });
  } catch (fault) {
    await folder.remove();
    throw fault;
  }
  const settings = [`listen_addresses=${HOST}`, `port=${port}`, 'unix_socket_directories=', 'fsync=off', 'max_connections=200'];
  const query: Postgres['query'] = async (sql, login = admin) => {
    const args = ['-X', '-q', '-A', '-t', '-R', ROW, '-F', FIELD, '-v', 'ON_ERROR_STOP=1', '-f', '-'];
    const env = {
      PGHOST: HOST,
      PGPORT: String(port),
      PGUSER: login.user,
      PGPASSWORD: login.password,
      PGDATABASE: login.database ?? 'postgres',
      PGCONNECT_TIMEOUT: '5',
    };
    const said = await output(pathOf('postgres', 'psql'), args, { env, input: sql });
    return said === ''
      ? []
      : said
          .replace(/\n$/, '')
          .split(ROW)
          .map((row) => row.split(FIELD));
  };
  const service = await launch({
    program: pathOf('postgres'),
    args: ['-D', data, ...settings.flatMap((setting) => ['-c', setting])],
    folder,
    ending: 'SIGINT',
    // SIGKILL would leave its shared memory behind; to its clients this looks the same.
    killing: 'SIGQUIT',
    ...(account && { account }),
    ready: async () => (await query('SELECT 1')).length === 1,
  });
  return {
    ...service,
    host: HOST,
    port,
    admin,
    url: ({ user, password, database = 'postgres' } = admin) =>
      `postgresql://${user}:${password}@${HOST}:${port}/${database}?sslmode=disable`,
    query,
  };
}

/** PostgreSQL does not run as root: whom it runs as then. */
async function otherThanRoot(): Promise<{ readonly uid: number; readonly gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const of = async (flag: string): Promise<number> =>
    Number(await output('id', [flag, 'postgres']).catch(() => output('id', [flag, 'nobody'])));
  return { uid: await of('-u'), gid: await of('-g') };
}
