/** The question: who asks for whom, and the action as the tool's own form. */
import { html, type JsonValue, useEffect, useState, type VNode } from './kit.ts';
import type { Field, Question, Stage, Tool, Values } from './playground-types.ts';

interface FormProps {
  readonly stage: Stage;
  readonly question: Question;
  readonly change: (question: Question) => void;
  readonly ask: (question: Question) => void;
  readonly busy: boolean;
}
const textOf = (event: Event): string => (event.target as HTMLInputElement).value;
const without = (values: Values, name: string): Values => Object.fromEntries(Object.entries(values).filter(([key]) => key !== name));

export function Form({ stage, question, change, ask, busy }: FormProps): VNode {
  const { agent, via = [], for: supposed, server, tool } = question;
  const here = stage.servers.find(({ id }) => id === server);
  const its = here?.tools.find(({ name }) => name === tool);
  const send = (event: Event): void => {
    event.preventDefault();
    ask(question);
  };
  const person = (more: object): void => {
    if (supposed) change({ ...question, for: { ...supposed, ...more } });
  };
  const setAlone = (event: Event): void => {
    const { for: _, ...alone } = question;
    const [issuer = 'people'] = stage.issuers;
    change(textOf(event) === 'itself' ? alone : { ...alone, for: { sub: `${issuer}:u_example`, kind: 'person', attributes: {} } });
  };
  const setTool = (event: Event): void => {
    const [nextServer = '', ...rest] = textOf(event).split('/');
    change({ ...question, server: nextServer, tool: rest.join('/'), arguments: {} });
  };
  const setVia = (event: Event): void => {
    const { via: _, ...plain } = question;
    change(textOf(event) === '' ? plain : { ...plain, via: [textOf(event)] });
  };
  return html`<form class="card pg-ask" onSubmit=${send} aria-label="Question">
    <fieldset class="pg-set"><legend>Who</legend>
      <label for="pg-agent">Agent</label>
      <select id="pg-agent" value=${agent} onChange=${(event: Event) => change({ ...question, agent: textOf(event) })}>
        ${stage.agents.map(({ id, name }) => html`<option value=${id}>${name} (${id})</option>`)}
      </select>
      <label for="pg-for">Acts for</label>
      <select id="pg-for" value=${supposed?.kind ?? 'itself'} onChange=${(event: Event) => (supposed && textOf(event) !== 'itself' ? person({ kind: textOf(event) }) : setAlone(event))}>
        <option value="person">a person</option><option value="service">a service</option><option value="itself">itself</option>
      </select>
      ${
        supposed &&
        html`<label for="pg-sub">Whoever is acted for <span class="quiet">issuer:subject</span></label>
          <input id="pg-sub" required pattern="[a-z][a-z0-9\\-]*:\\S+" value=${supposed.sub} spellcheck=${false} onInput=${(event: Event) => person({ sub: textOf(event) })} />
          <${Attributes} stage=${stage} values=${supposed.attributes} change=${(attributes: Values) => person({ attributes })} />
          <label for="pg-via">Through a sub-agent</label>
          <select id="pg-via" value=${via[0] ?? ''} onChange=${setVia}><option value="">none</option>
            ${stage.agents.filter(({ id }) => id !== agent).map(({ id, name }) => html`<option value=${id}>${name} (${id})</option>`)}
          </select>`
      }
    </fieldset>
    <fieldset class="pg-set"><legend>What</legend>
      <label for="pg-tool">Tool</label>
      <select id="pg-tool" value=${`${server}/${tool}`} onChange=${setTool}>
        ${stage.servers.map(
          ({ id, name, tools }) => html`<optgroup label=${name}>
            ${tools.map((one) => html`<option value=${`${id}/${one.name}`}>${one.name}</option>`)}<option value=${`${id}/tool:list`}>list its tools</option>
          </optgroup>`,
        )}
      </select>
      ${its && html`<p class="quiet">${its.description}</p>`}
      ${its?.hidden && html`<p class="quiet">Its arguments are hidden from the broker, so no policy can look at them.</p>`}
      ${its && !its.hidden && html`<${Arguments} key=${`${server}/${tool}`} tool=${its} values=${question.arguments} change=${(args: Values) => change({ ...question, arguments: args })} />`}
    </fieldset>
    <p class="buttons"><button class="primary" disabled=${busy}>${busy ? 'Deciding …' : 'Decide'}</button></p>
  </form>`;
}

function Attributes({
  stage,
  values,
  change,
}: {
  readonly stage: Stage;
  readonly values: Values;
  readonly change: (values: Values) => void;
}): VNode {
  const known = stage.attributes.filter(({ list }) => list);
  const others = without(values, '');
  return html`${known.map(({ name, values: offered }) => {
    const held = Array.isArray(values[name]) ? (values[name] as readonly JsonValue[]) : [];
    const all = [...new Set([...offered, ...held])].map(String);
    const flip = (value: string): void =>
      change({ ...values, [name]: held.includes(value) ? held.filter((one) => one !== value) : [...held, value] });
    return html`<fieldset class="pg-chips"><legend>${name}</legend>
        ${all.map((value) => html`<label class="pg-chip"><input type="checkbox" checked=${held.includes(value)} onChange=${() => flip(value)} /> ${value}</label>`)}
      </fieldset>`;
  })}
    <details><summary>All of their attributes, as JSON</summary><${Raw} label="Attributes as JSON" value=${others} change=${(value: JsonValue) => change(value as Values)} /></details>`;
}
function Arguments({
  tool,
  values,
  change,
}: {
  readonly tool: Tool;
  readonly values: Values;
  readonly change: (values: Values) => void;
}): VNode {
  const { properties = {}, required = [] } = tool.schema;
  const set = (name: string, value: JsonValue | undefined): void =>
    change(value === undefined ? without(values, name) : { ...values, [name]: value });
  return html`${Object.entries(properties).map(
    ([name, field]) =>
      html`<${Argument} key=${name} name=${name} field=${field} required=${required.includes(name)} value=${values[name]} set=${(value: JsonValue | undefined) => set(name, value)} />`,
  )}
    <details><summary>All arguments, as JSON</summary><${Raw} label="Arguments as JSON" value=${values} change=${(value: JsonValue) => change(value as Values)} /></details>`;
}
function Argument(props: {
  readonly name: string;
  readonly field: Field;
  readonly required: boolean;
  readonly value: JsonValue | undefined;
  readonly set: (value: JsonValue | undefined) => void;
}): VNode {
  const { name, field, required, value, set } = props;
  const id = `pg-arg-${name}`;
  const label = html`<label for=${id}>${field.title ?? name} ${!required && html`<span class="quiet">optional</span>`}</label>`;
  const choices = field.enum ?? (field.type === 'boolean' ? [true, false] : undefined);
  if (choices) {
    const pick = (event: Event): void => set(textOf(event) === '' ? undefined : choices[Number(textOf(event))]);
    const at = value === undefined ? -1 : choices.indexOf(value);
    return html`${label}<select id=${id} value=${at < 0 ? '' : String(at)} onChange=${pick}>
      <option value="">not given</option>${choices.map((choice, index) => html`<option value=${String(index)}>${String(choice)}</option>`)}
    </select>`;
  }
  if (field.type === 'integer' || field.type === 'number') {
    const enter = (event: Event): void => set(textOf(event) === '' ? undefined : Number(textOf(event)));
    return html`${label}<input id=${id} type="number" step=${field.type === 'integer' ? 1 : 'any'} value=${typeof value === 'number' ? value : ''} onInput=${enter} />`;
  }
  if (field.type === 'string') {
    const enter = (event: Event): void => set(textOf(event) === '' ? undefined : textOf(event));
    return html`${label}<input id=${id} value=${typeof value === 'string' ? value : ''} onInput=${enter} />`;
  }
  return html`<span>${name}</span><${Raw} label=${`${name} as JSON`} value=${value ?? null} change=${set} />`;
}
/** What is typed counts once it is JSON. */
function Raw({
  label,
  value,
  change,
}: {
  readonly label: string;
  readonly value: JsonValue;
  readonly change: (value: JsonValue) => void;
}): VNode {
  const [text, setText] = useState(() => JSON.stringify(value, null, 1));
  const [flawed, setFlawed] = useState(false);
  const same = JSON.stringify(value);
  useEffect(() => {
    if (parsed(text) !== same) setText(JSON.stringify(value, null, 1));
  }, [same]);
  const enter = (event: Event): void => {
    setText(textOf(event));
    const read = parsed(textOf(event));
    setFlawed(read === undefined);
    if (read !== undefined) change(JSON.parse(read) as JsonValue);
  };
  return html`<textarea aria-label=${label} aria-invalid=${flawed} rows="4" spellcheck=${false} value=${text} onInput=${enter}></textarea>
    ${flawed && html`<p class="ag-late" role="status">This is no JSON yet.</p>`}`;
}
function parsed(text: string): string | undefined {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return undefined;
  }
}
