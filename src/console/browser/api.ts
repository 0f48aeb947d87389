/** The operator API, as pages ask it. */
import { useEffect, useRef, useState } from 'preact/hooks';

/** A no of the broker: its own words, to be shown as they are. */
export class Refused extends Error {
  readonly status: number;
  readonly code: string;
  readonly detail: string | undefined;
  readonly decision: string | undefined;
  constructor(
    status: number,
    body: { readonly error?: unknown; readonly error_description?: unknown; readonly detail?: unknown; readonly decision_id?: unknown },
  ) {
    super(typeof body.error_description === 'string' ? body.error_description : 'The broker gave no answer that can be read.');
    this.status = status;
    this.code = typeof body.error === 'string' ? body.error : 'unreadable';
    this.detail = typeof body.detail === 'string' ? body.detail : undefined;
    this.decision = typeof body.decision_id === 'string' ? body.decision_id : undefined;
  }
}
/** The path that all our addresses begin with. */
export const base: string = document.body.dataset['base'] ?? '';

async function ask<T>(path: string, init: RequestInit): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(base + path, { ...init, credentials: 'same-origin', redirect: 'error' });
  } catch (fault) {
    if (fault instanceof DOMException && fault.name === 'AbortError') throw fault;
    throw new Refused(0, {
      error: 'unreachable',
      error_description: 'The broker does not answer. It may be restarting; this page asks again when you do.',
    });
  }
  const body: unknown = answer.status === 204 ? {} : await answer.json().catch(() => ({}));
  if (answer.ok) return body as T;
  const no = new Refused(answer.status, body as object);
  if (no.status === 401) document.dispatchEvent(new Event('logged-out'));
  throw no;
}
export const api = {
  /** Throws Refused. `unattended`: by a timer, and not because somebody is there; it does not prolong the session. */
  get: <T>(
    path: string,
    { signal, unattended = false }: { readonly signal?: AbortSignal; readonly unattended?: boolean } = {},
  ): Promise<T> =>
    ask<T>(path, {
      headers: { accept: 'application/json', ...(unattended && { 'x-countersign-unattended': '1' }) },
      ...(signal && { signal }),
    }),
  /** Throws Refused. */
  post: <T>(path: string, body: object = {}): Promise<T> =>
    ask<T>(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-countersign-pledge': document.body.dataset['pledge'] ?? '' },
      body: JSON.stringify(body),
    }),
};

export interface Loaded<T> {
  /** The last good answer, also while a newer one is asked for. */
  readonly data: T | undefined;
  readonly error: Refused | undefined;
  readonly loading: boolean;
  reload(): void;
}
/** What stands under a path; asked again every `everyMs`, when the path changes and when the page is looked at again. Undefined: nothing is asked. */
export function useLoad<T>(path: string | undefined, { everyMs }: { readonly everyMs?: number } = {}): Loaded<T> {
  const [state, setState] = useState<{ readonly path?: string; readonly data?: T; readonly error?: Refused; readonly loading: boolean }>({
    loading: true,
  });
  const [turn, setTurn] = useState({ unattended: false });
  const busy = useRef<AbortController>();
  useEffect(() => {
    if (path === undefined) return undefined;
    const stop = new AbortController();
    busy.current = stop;
    setState((was) => ({ ...(was.path === path ? was : { path }), loading: true }));
    api.get<T>(path, { signal: stop.signal, unattended: turn.unattended }).then(
      (data) => stop.signal.aborted || setState({ path, data, loading: false }),
      (error: unknown) => {
        if (!stop.signal.aborted) setState((was) => ({ ...was, ...(error instanceof Refused && { error }), loading: false }));
      },
    );
    return () => stop.abort();
  }, [path, turn]);
  useEffect(() => {
    const again = (): void => {
      if (document.visibilityState === 'visible') setTurn({ unattended: true });
    };
    const timer = everyMs === undefined ? undefined : setInterval(again, everyMs);
    document.addEventListener('visibilitychange', again);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', again);
    };
  }, [everyMs]);
  const known = state.path === path ? state : { loading: true };
  return { data: known.data, error: known.error, loading: known.loading, reload: () => setTurn({ unattended: false }) };
}
