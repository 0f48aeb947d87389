/** A Dockerfile read by a parser, held to rules, and played: its own COPY and RUN steps in plain folders, since no engine is needed to see whether they work. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join, matchesGlob, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { DockerfileParser, type Flag, type Instruction } from 'dockerfile-ast';

export interface Step {
  readonly keyword: string;
  readonly line: number;
  /** Its arguments as one line. */
  readonly text: string;
  readonly words: readonly string[];
  readonly flags: ReadonlyMap<string, string>;
  /** Of the exec form. */
  readonly exec: readonly string[] | undefined;
}
export interface Stage {
  readonly name: string;
  readonly from: string;
  readonly steps: readonly Step[];
}

/** Errors: a stage without a name, a step before the first stage. */
export function readStages(source: string): readonly Stage[] {
  const stages: { name: string; from: string; steps: Step[] }[] = [];
  for (const instruction of DockerfileParser.parse(source).getInstructions()) {
    const step = toStep(instruction);
    if (step.keyword === 'FROM') {
      const [from = '', as, name] = step.words;
      if (as?.toUpperCase() !== 'AS' || !name) throw new Error(`line ${step.line}: a stage has a name`);
      stages.push({ name, from, steps: [] });
      continue;
    }
    const stage = stages.at(-1);
    if (!stage) throw new Error(`line ${step.line}: ${step.keyword} before the first stage`);
    stage.steps.push(step);
  }
  return stages;
}
function toStep(instruction: Instruction): Step {
  const flags = 'getFlags' in instruction ? (instruction as Instruction & { getFlags(): Flag[] }).getFlags() : [];
  const content = (instruction.getRawArgumentsContent() ?? '').replaceAll(/\\\s*\n\s*/g, ' ').trim();
  const withoutFlags = content.replace(/^(--\S+\s+)+/, '');
  const bracket = withoutFlags.replace(/^CMD\s+/, '');
  return {
    keyword: instruction.getKeyword(),
    line: instruction.getRange().start.line + 1,
    text: withoutFlags,
    words: withoutFlags.split(/\s+/),
    flags: new Map(flags.map((flag) => [flag.getName(), flag.getValue() ?? ''])),
    exec: bracket.startsWith('[') ? (JSON.parse(bracket) as readonly string[]) : undefined,
  };
}

export interface Rules {
  /** What every image of a registry must be. */
  readonly base: string;
  /** The lines of the ignore file, and the folder it is about. */
  readonly ignore: string;
  readonly context: string;
  /** What may be run at all. */
  readonly runs: readonly RegExp[];
}
/** What is wrong, a line each. The last stage is the one that is deployed. */
export function lint(stages: readonly Stage[], rules: Rules): readonly string[] {
  const found: string[] = [];
  const known = new Set<string>();
  for (const { name, from, steps } of stages) {
    if (!known.has(from) && from !== rules.base) found.push(`${name}: from ${from}, not ${rules.base}`);
    for (const step of steps) found.push(...flawsOf(step, name, known, rules));
    known.add(name);
  }
  const last = stages.at(-1);
  const of = (keyword: string): readonly Step[] => last?.steps.filter((step) => step.keyword === keyword) ?? [];
  if (!/^[1-9]\d*:[1-9]\d*$/.test(of('USER').at(-1)?.text ?? '')) found.push('the last stage runs as no user by number');
  if (!of('ENTRYPOINT').at(-1)?.exec) found.push('the last stage has no ENTRYPOINT that signals reach');
  if (!of('HEALTHCHECK').at(-1)?.exec) found.push('the last stage has no HEALTHCHECK that works without a shell');
  if (of('RUN').some((step) => /\bnpm\b|\bapt|\bapk\b|curl|wget/.test(step.text))) found.push('the last stage fetches or builds');
  return found;
}
function flawsOf(step: Step, stage: string, stages: ReadonlySet<string>, rules: Rules): readonly string[] {
  const at = `${stage}, line ${step.line}:`;
  switch (step.keyword) {
    case 'COPY': {
      const from = step.flags.get('from');
      if (from !== undefined) return stages.has(from) ? [] : [`${at} copies from ${from}, which is no earlier stage`];
      return step.words.slice(0, -1).flatMap((source) => {
        if (!existsSync(join(rules.context, source))) return [`${at} ${source} is not there`];
        return source !== '.' && isSent(source, rules.ignore) ? [] : [`${at} the ignore file does not let ${source} through`];
      });
    }
    case 'RUN':
      return rules.runs.some((one) => one.test(step.text)) ? [] : [`${at} runs what no rule knows: ${step.text}`];
    case 'ENV':
    case 'ARG':
      return /(SECRET|PASSWORD|TOKEN|_KEY\b|CREDENTIAL)/i.test(step.text)
        ? [`${at} ${step.keyword} stays in the image, and is no place for a secret`]
        : [];
    case 'EXPOSE':
      return step.words.every((port) => Number(port) > 1023) ? [] : [`${at} a port below 1024 needs rights`];
    case 'WORKDIR':
      return step.text.startsWith('/') ? [] : [`${at} a folder is named from the root`];
    case 'LABEL':
    case 'USER':
    case 'STOPSIGNAL':
    case 'HEALTHCHECK':
    case 'ENTRYPOINT':
    case 'CMD':
      return [];
    default:
      return [`${at} ${step.keyword} is not used here`];
  }
}
/** The last line that matches decides. */
function isSent(path: string, ignore: string): boolean {
  let sent = true;
  for (const line of ignore.split('\n').map((one) => one.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const pattern = line.replace(/^!/, '');
    if (matchesGlob(path, pattern) || path.startsWith(`${pattern}/`)) sent = line.startsWith('!');
  }
  return sent;
}

export interface Played {
  /** Where this stage's root is. */
  readonly root: string;
  readonly workdir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  readonly healthcheck: readonly string[];
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
}
/** Each stage in a folder under `into`. Absolute paths are inside that folder. Errors: a step fails, with what it said. */
export async function play(stages: readonly Stage[], context: string, into: string): Promise<ReadonlyMap<string, Played>> {
  const played = new Map<string, Played>();
  for (const stage of stages) {
    const root = join(into, stage.name);
    const base = played.get(stage.from);
    if (base) cpSync(base.root, root, { recursive: true, verbatimSymlinks: true });
    else mkdirSync(root, { recursive: true });
    const state = {
      workdir: base?.workdir ?? '/',
      env: { ...base?.env },
      entrypoint: base?.entrypoint ?? [],
      healthcheck: base?.healthcheck ?? [],
      user: base?.user,
    };
    for (const step of stage.steps) {
      const here = join(root, state.workdir);
      if (step.keyword === 'WORKDIR') state.workdir = step.text;
      if (step.keyword === 'ENV') for (const pair of step.words) state.env[pair.split('=')[0] ?? ''] = pair.slice(pair.indexOf('=') + 1);
      if (step.keyword === 'ENTRYPOINT') state.entrypoint = step.exec ?? [];
      if (step.keyword === 'HEALTHCHECK') state.healthcheck = step.exec ?? [];
      if (step.keyword === 'USER') state.user = userOf(step.text);
      if (step.keyword === 'COPY') copy(step, here, root, played.get(step.flags.get('from') ?? '')?.root ?? context);
      if (step.keyword === 'RUN') await shell(step.text, here, root, state.env);
      mkdirSync(join(root, state.workdir), { recursive: true });
    }
    played.set(stage.name, { root, ...state });
  }
  return played;
}
function userOf(words: string): Played['user'] {
  const [uid = Number.NaN, gid = uid] = words.split(':').map(Number);
  return { uid, gid };
}
/** As COPY does: of a folder what is in it, of several things each by its own name. */
function copy(step: Step, here: string, root: string, from: string): void {
  const to = step.words.at(-1) ?? '';
  const target = to.startsWith('/') ? join(root, to) : resolve(here, to);
  for (const source of step.words.slice(0, -1).map((one) => join(from, one))) {
    const into = !statSync(source).isDirectory() && (to.endsWith('/') || step.words.length > 2) ? join(target, basename(source)) : target;
    mkdirSync(dirname(into), { recursive: true });
    cpSync(source, into, { recursive: true, verbatimSymlinks: true });
  }
}
async function shell(line: string, cwd: string, root: string, env: Readonly<Record<string, string>>): Promise<void> {
  const inside = line.replaceAll(/(?<=\s)\/(?=\w)/g, `${root}/`);
  // Only root may give a folder away; else it is this user's already.
  const mine = process.getuid?.() === 0 ? inside : inside.replaceAll(/ -[og] \d+/g, '');
  const child = spawn('sh', ['-ec', mine], {
    cwd,
    env: { ...ambient(), HOME: homedir(), PATH: pathWithNode(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [[code], out, err] = await Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)]);
  if (code !== 0) throw new Error(`${line}: ended with ${String(code)}\n${out}${err}`);
}
/** How this machine reaches the registry (proxies, authorities), and nothing of the npm or the test that runs this. */
function ambient(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_OPTIONS$|NODE_TEST|CI$)/.test(name));
  return { ...Object.fromEntries(kept), npm_config_prefer_offline: 'true' };
}
/** This run's Node, as the image has it; npm is wherever it is. */
export const pathWithNode = (): string =>
  [dirname(process.execPath), ...(process.env['PATH'] ?? '').split(':').filter((folder) => !folder.includes('node_modules'))].join(':');
