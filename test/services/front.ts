/** What people put in front of brokers: nginx or HAProxy, as their own packages come, before one broker or several. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { launch, newFolder, type Service, servicePort } from './program.ts';
import { pathOf } from './provision.ts';

export interface FrontOptions {
  /** Ports of loopback, taken in turn. */
  readonly to: readonly number[];
  /** Lines of nginx's `location /`, or of HAProxy's `backend`, after ours. */
  readonly more?: readonly string[];
}
export interface Front extends Service {
  readonly port: number;
  /** http://127.0.0.1:port */
  readonly address: string;
}

export function startNginx({ to, more = [] }: FrontOptions): Promise<Front> {
  return start('nginx', (port, folder) => ({
    args: ['-p', folder, '-c', join(folder, 'front.conf'), '-e', 'stderr'],
    config: [
      // One process, which is also the one that is ended.
      'daemon off; master_process off;',
      `pid ${folder}/nginx.pid; error_log stderr warn;`,
      'events { worker_connections 512; }',
      'http {',
      'access_log off;',
      ...['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${folder}/${kind};`),
      `upstream brokers { ${to.map((one) => `server 127.0.0.1:${one};`).join(' ')} keepalive 16; }`,
      `server { listen 127.0.0.1:${port};`,
      'location / {',
      'proxy_pass http://brokers; proxy_http_version 1.1; proxy_set_header Connection "";',
      'proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;',
      ...more,
      '} } }',
    ],
  }));
}

export function startHaproxy({ to, more = [] }: FrontOptions): Promise<Front> {
  return start('haproxy', (port, folder) => ({
    args: ['-db', '-q', '-f', join(folder, 'front.conf')],
    config: [
      'defaults',
      '  mode http',
      '  timeout connect 5s',
      '  timeout client 60s',
      '  timeout server 60s',
      '  option forwardfor',
      'frontend people',
      `  bind 127.0.0.1:${port}`,
      '  default_backend brokers',
      'backend brokers',
      '  balance roundrobin',
      ...to.map((one, i) => `  server broker${i} 127.0.0.1:${one}`),
      ...more.map((line) => `  ${line}`),
    ],
  }));
}

type Plan = (port: number, folder: string) => { readonly args: readonly string[]; readonly config: readonly string[] };
async function start(name: 'nginx' | 'haproxy', plan: Plan): Promise<Front> {
  const port = await servicePort();
  const address = `http://127.0.0.1:${port}`;
  const folder = newFolder(name);
  const { args, config } = plan(port, folder.path);
  writeFileSync(join(folder.path, 'front.conf'), `${config.join('\n')}\n`);
  // It takes connections: what is behind need not be there yet.
  const ready = async (): Promise<boolean> => {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.destroy();
    return true;
  };
  const service = await launch({ program: pathOf(name), args, folder, ready });
  return { ...service, port, address };
}
