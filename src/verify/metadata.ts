/** RFC 9728: what a tool server says of itself. Stock MCP clients withhold credentials from a server that does not. */
import type { JsonObject } from '../wire/json.ts';
import { DETAILS_TYPE, SCOPE_LIST } from '../wire/oauth.ts';

export interface ResourceMetadata {
  /** Served as `application/json` to anyone who asks. */
  readonly document: JsonObject;
  /** Where, on the resource's own origin: the well-known name stands before the resource's path (RFC 9728 §3.1). */
  readonly path: string;
  readonly url: string;
}

export function resourceMetadata(options: {
  readonly resource: string;
  readonly authorizationServers: readonly string[];
  readonly name?: string;
  readonly documentation?: string;
}): ResourceMetadata {
  const { origin, pathname, search } = new URL(options.resource);
  const path = `/.well-known/oauth-protected-resource${pathname === '/' ? '' : pathname}${search}`;
  return {
    path,
    url: origin + path,
    document: {
      resource: options.resource,
      authorization_servers: [...options.authorizationServers],
      // Scopes of single tools need details: a client that asked for all of them would get none.
      scopes_supported: [SCOPE_LIST],
      bearer_methods_supported: ['header'],
      dpop_signing_alg_values_supported: ['ES256'],
      authorization_details_types_supported: [DETAILS_TYPE],
      ...(options.name !== undefined && { resource_name: options.name }),
      ...(options.documentation !== undefined && { resource_documentation: options.documentation }),
    },
  };
}
