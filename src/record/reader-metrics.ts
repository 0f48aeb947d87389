import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { TOGETHER } from './coalesce.ts';
import type { Reader } from './record.ts';

export interface Meters {
  readonly read: Reader;
  readonly refused: (status: number) => void;
  readonly fault: () => void;
  readonly notified: (told: { readonly notifier: string; readonly outcome: string }) => void;
  readonly registry: Registry;
}
/** Counts and times, without identities: a label is one of a closed set of words of ours. */
export function meters(sources: {
  readonly bundlePolicies: () => number;
  readonly bundleDegraded: () => boolean;
  /** By kind of credential. */
  readonly leases: () => ReadonlyMap<string, { readonly open: number; readonly overdue: number }>;
}): Meters {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const entries = new Counter({ name: 'countersign_entries_total', help: 'Ledger entries', labelNames: ['kind', 'reason'], registers });
  const seconds = new Histogram({
    name: 'countersign_exchange_seconds',
    help: 'From first byte read to durable entry',
    labelNames: ['kind'],
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers,
  });
  const refused = new Counter({
    name: 'countersign_http_refused_total',
    help: 'Requests refused before they were read',
    labelNames: ['status'],
    registers,
  });
  const together = new Counter({
    name: 'countersign_refusals_together_total',
    help: 'Refusals before anybody was known, told in one entry for many',
    labelNames: ['reason'],
    registers,
  });
  const notified = new Counter({
    name: 'countersign_notifications_total',
    help: 'Deliveries to who is told of what waits: sent, failed and tried again, late, dropped',
    labelNames: ['notifier', 'outcome'],
    registers,
  });
  const faults = new Counter({ name: 'countersign_faults_total', help: 'Faults, whether or not an entry could be written', registers });
  new Gauge({
    name: 'countersign_bundle_policies',
    help: 'Policies in force',
    registers,
    collect() {
      this.set(sources.bundlePolicies());
    },
  });
  new Gauge({
    name: 'countersign_bundle_degraded',
    help: '1 while a newer bundle was refused',
    registers,
    collect() {
      this.set(sources.bundleDegraded() ? 1 : 0);
    },
  });
  new Gauge({
    name: 'countersign_leases',
    help: 'Leases that have not ended; overdue: their end was tried, or is late',
    labelNames: ['kind', 'state'],
    registers,
    collect() {
      this.reset();
      for (const [kind, { open, overdue }] of sources.leases()) {
        this.set({ kind, state: 'open' }, open);
        this.set({ kind, state: 'overdue' }, overdue);
      }
    },
  });
  return {
    registry,
    read: (entry, { milliseconds }) => {
      entries.inc({ kind: entry.kind, reason: entry.reason ?? '' });
      if (entry.request === TOGETHER) together.inc({ reason: entry.reason ?? '' }, Number(entry.context?.['count'] ?? 0));
      seconds.observe({ kind: entry.kind }, milliseconds / 1000);
    },
    refused: (status) => refused.inc({ status: String(status) }),
    fault: () => faults.inc(),
    notified: ({ notifier, outcome }) => notified.inc({ notifier, outcome }),
  };
}
