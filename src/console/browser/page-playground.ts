/** Playground: what would be decided, by which policies, and the smallest change that would decide otherwise. */
import { api, html, type PageProps, Problem, Refused, useEffect, useLoad, useRef, useState, type VNode, When } from './kit.ts';
import { Answer } from './playground-answer.ts';
import { Form } from './playground-form.ts';
import type { Played, Question, Stage } from './playground-types.ts';

export function Page({ path }: PageProps): VNode {
  const loaded = useLoad<Stage>('/operator/playground');
  return html`<header class="page-head"><h1>Playground</h1><p>Ask what would be decided. Nothing is granted, spent or recorded.</p></header>
    <${When} loaded=${loaded}>${(stage: Stage) => html`<${Play} stage=${stage} path=${path} />`}<//>`;
}
function Play({ stage, path }: { readonly stage: Stage; readonly path: string }): VNode {
  const [question, setQuestion] = useState<Question>(() => firstQuestion(stage, path));
  const [played, setPlayed] = useState<Played>();
  const [no, setNo] = useState<Refused>();
  const [busy, setBusy] = useState(false);
  async function ask(asked: Question): Promise<void> {
    setQuestion(asked);
    setBusy(true);
    try {
      setPlayed(await api.post<Played>('/operator/playground', asked));
      setNo(undefined);
    } catch (fault) {
      if (!(fault instanceof Refused)) throw fault;
      setNo(fault);
    } finally {
      setBusy(false);
    }
  }
  const asksAtOnce = new URLSearchParams(path.split('?')[1] ?? '').has('agent');
  useEffect(() => {
    if (asksAtOnce) void ask(question);
  }, []);
  const answer = useRef<HTMLDivElement>(null);
  // A long form, and its answer beside its beginning.
  useEffect(() => {
    if (played) answer.current?.querySelector('.pg-verdict')?.scrollIntoView({ block: 'nearest' });
  }, [played]);
  return html`<div class="pg">
    <${Form} stage=${stage} question=${question} change=${setQuestion} ask=${ask} busy=${busy} />
    <div class="stack" ref=${answer} aria-live="polite" aria-busy=${busy}>
      ${no && html`<${Problem} error=${no} />`}
      <${Answer} played=${played} ask=${ask} />
    </div>
  </div>`;
}

/** What the address names, and the plainest question otherwise. */
function firstQuestion(stage: Stage, path: string): Question {
  const asked = new URLSearchParams(path.split('?')[1] ?? '');
  const agent = stage.agents.find(({ id }) => id === asked.get('agent')) ?? stage.agents[0];
  const server = stage.servers.find(({ id }) => id === asked.get('server')) ?? stage.servers[0];
  const tool = asked.get('tool') ?? server?.tools[0]?.name ?? 'tool:list';
  const attributes = Object.fromEntries(
    stage.attributes.map(({ name, list, values }) => [name, list ? values.slice(0, 1) : (values[0] ?? '')]),
  );
  const alone = asked.has('alone') || stage.issuers.length === 0;
  return {
    agent: agent?.id ?? '',
    server: server?.id ?? '',
    tool,
    arguments: {},
    ...(!alone && { for: { sub: `${stage.issuers[0]}:u_example`, kind: 'person' as const, attributes } }),
  };
}
