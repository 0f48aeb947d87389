import { type FSWatcher, watch } from 'node:fs';
import { ConfigError, Unavailable } from '../errors.ts';
import type { Bundle } from '../model.ts';
import { no, ok, type Result } from '../wire/result.ts';
import { type Bundles, type Credentials, type Engine, type Files, formatProblem, type Problem, type Report } from './bundle.ts';
import { readFolder } from './bundle-folder-files.ts';
import { formats } from './bundle-folder-formats.ts';
import { type CompiledBundle, compileBundle } from './compile.ts';
import { hashBundle } from './manifest.ts';

/** An editor, `cp -r` or `git pull` touches many files: nothing is read before they have all been still for so long. */
const QUIET_MS = 300;

/**
 * The bundle in a folder, as its manifest says and not otherwise. Reloads on change and by `reload`; on any doubt the old bundle stays and
 * the report says why. `today` (ISO date) lets it warn of reviews that are due. Throws ConfigError with every problem when the first load fails.
 */
export async function folderBundles(options: {
  readonly folder: string;
  readonly engine: Engine;
  /** Absent: tools register no back-end credentials. */
  readonly credentials?: Credentials;
  readonly onReport?: (report: Report) => void;
  /** Waited for before another bundle comes into force: where it cannot be recorded, the old one stays. Not called for the first. */
  readonly enact?: (hash: string) => Promise<void>;
  readonly today?: () => string;
  /** Without it the folder is read only when asked to. Default true. */
  readonly watch?: boolean;
}): Promise<Bundles> {
  const { folder, engine, onReport, enact, credentials } = options;
  const said = (): Said => {
    const today = options.today?.();
    return { ...(today !== undefined && { today }), ...(credentials && { credentials }) };
  };
  const first = await loadFolder(folder, engine, said());
  if (!first.ok) throw new ConfigError(first.error.map(formatProblem));
  let bundle: Bundle | undefined = first.value.bundle;
  let report: Report = { ok: true, hash: bundle.hash, changed: true, problems: [], warnings: first.value.warnings };
  let running: Promise<Report> | undefined;
  let again = false;

  const judge = (files: Files): Promise<Result<CompiledBundle, readonly Problem[]>> => compileBundle(files, engine, formats, said());
  const attempt = async (): Promise<Report> => {
    const { hash, warnings } = report;
    let loaded: Result<CompiledBundle | undefined, readonly Problem[]>;
    try {
      const files = await readFolder(folder);
      // The files in force need no second judgement, and what was prepared for them is kept.
      loaded = files.ok ? (hashBundle(files.value) === hash ? ok(undefined) : await judge(files.value)) : files;
    } catch {
      loaded = no([{ file: '.', text: 'the bundle could not be read or judged' }]);
    }
    if (loaded.ok && loaded.value) {
      try {
        await enact?.(loaded.value.bundle.hash);
      } catch {
        loaded = no([
          { file: '.', text: 'the bundle could not be recorded, so it is not in force', hint: 'reload when the store answers' },
        ]);
      }
    }
    if (!bundle) return report;
    if (!loaded.ok) report = { ok: false, hash, changed: false, problems: loaded.error, warnings };
    else if (!loaded.value) report = { ok: true, hash, changed: false, problems: [], warnings };
    else {
      bundle = loaded.value.bundle;
      report = { ok: true, hash: bundle.hash, changed: true, problems: [], warnings: loaded.value.warnings };
    }
    onReport?.(report);
    return report;
  };
  // One load at a time; a call that comes during one is answered by the next, which has seen what made it call.
  const reload = (): Promise<Report> => {
    if (running) {
      again = true;
      return running;
    }
    running = (async () => {
      try {
        for (;;) {
          again = false;
          const reported = await attempt();
          if (!again) return reported;
        }
      } finally {
        // In the same step as the last look at `again`: no call falls between the two.
        running = undefined;
      }
    })();
    return running;
  };

  const watching = (options.watch ?? true) ? watchQuietly(folder, () => void reload()) : undefined;
  return {
    current() {
      if (!bundle) throw new Unavailable('policy');
      return bundle;
    },
    reload,
    report: () => report,
    close() {
      watching?.close();
      bundle = undefined;
    },
  };
}

/** What the files do not say of themselves: the day (ISO date, for reviews that are due), and what back ends add to their language. */
export interface Said {
  readonly today?: string;
  readonly credentials?: Credentials;
}
/** The folder's bundle now. Errors: every problem, of the folder or, where that is whole, of its files. */
export async function loadFolder(folder: string, engine: Engine, said: Said = {}): Promise<Result<CompiledBundle, readonly Problem[]>> {
  const files = await readFolder(folder);
  return files.ok ? compileBundle(files.value, engine, formats, said) : files;
}

/** Calls once a change has been followed by quiet. A system that cannot watch is left to `reload`. */
function watchQuietly(folder: string, changed: () => void): { close(): void } {
  let timer: NodeJS.Timeout | undefined;
  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(folder, { recursive: true, persistent: false }, () => {
      clearTimeout(timer);
      timer = setTimeout(changed, QUIET_MS).unref();
    });
    watcher.on('error', () => watcher?.close());
  } catch {
    watcher = undefined;
  }
  return {
    close() {
      clearTimeout(timer);
      watcher?.close();
    },
  };
}
