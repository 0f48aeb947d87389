/** Keys as the operator API tells of them. */
export type Step = 'publish' | 'activate' | 'retire' | 'emergency';
export interface KeyStatus {
  readonly kid: string;
  readonly alg: string;
  readonly state: 'next' | 'current' | 'retiring' | 'gone' | 'distrusted';
  readonly since: number;
  readonly next?: { readonly step: Step; readonly at: number };
}
export interface PlannedStep {
  readonly step: Step;
  readonly possible: boolean;
  readonly due: boolean;
  readonly detail?: string;
  readonly at?: number;
  readonly kids: readonly string[];
}
export interface RingStatus {
  readonly version: number;
  readonly now: number;
  readonly timing: { readonly maxAgeSeconds: number; readonly maxTokenSeconds: number; readonly skewSeconds: number };
  readonly keys: readonly KeyStatus[];
  readonly steps: readonly PlannedStep[];
}
export interface StepOutcome {
  readonly step: Step;
  readonly dry_run: boolean;
  readonly changed: readonly { readonly kid: string; readonly alg: string; readonly from?: string; readonly to: string }[];
  readonly status: RingStatus;
}
