/** The floor of HTTP: our server with our form parser, answering what it read. */

import { FORM } from '../../src/http/documents.ts';
import { parseForm } from '../../src/http/form.ts';
import { bare } from '../../src/http/server.ts';

export async function startEcho(port: number): Promise<void> {
  const server = bare({ onRefused: () => undefined, onFault: () => undefined });
  server.post('/token', { config: { body: FORM } }, async (request, reply) => {
    const form = parseForm(request.body);
    return reply
      .header('cache-control', 'no-store')
      .send({ access_token: form.ok ? form.value.get('client_assertion') : '', token_type: 'DPoP', expires_in: 60 });
  });
  await server.listen({ host: '127.0.0.1', port });
}
