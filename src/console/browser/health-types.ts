/** How the broker is, as the operator API tells it. */
export interface Check {
  readonly name: string;
  readonly state: 'ok' | 'degraded' | 'down';
  readonly detail?: string;
}
export interface Trouble {
  readonly file: string;
  readonly line?: number;
  readonly text: string;
  readonly hint?: string;
}
export interface Report {
  readonly ok: boolean;
  readonly changed: boolean;
  readonly problems: readonly Trouble[];
  readonly warnings: readonly Trouble[];
}
export interface Status {
  readonly issuer: string;
  readonly bundle: string;
  readonly report: Report;
  readonly checks: readonly Check[];
}
export interface Verifier {
  readonly server: string;
  readonly resource: string;
  readonly last_seen: number | null;
  readonly seq: number | null;
  readonly waiting: number;
}
export interface Backends {
  readonly backends: readonly { readonly kind: string; readonly ready: boolean; readonly detail: string; readonly standing: boolean }[];
  readonly registrations: readonly { readonly kind: string }[];
  readonly environment: readonly string[];
}
export interface Lease {
  readonly id: string;
  readonly kind: string;
  readonly where: string;
  readonly state: string;
  readonly tool?: string;
  readonly exp: number;
  readonly overdue: boolean;
}
export interface Leases {
  readonly open: number;
  readonly overdue: number;
  readonly leases: readonly Lease[];
}
