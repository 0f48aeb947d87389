import { lstat, readdir, readFile, realpath } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { no, ok, type Result } from '../wire/result.ts';
import type { Files, Problem } from './bundle.ts';
import { digestFile, isBundleFile, MANIFEST, parseManifest } from './manifest.ts';

const MAX_FILE_BYTES = 1_048_576;
const MAX_FILES = 10_000;
const ABSENT: Problem = { file: '.', text: 'the bundle folder is not there', hint: '`policies:` in the configuration names it' };

/**
 * Every file of the manifest, each with exactly its digest, and no file beside them that could have decided something. One wrong byte
 * anywhere and nothing is returned: so a read that falls into a write is noticed, whatever the order of both.
 */
export async function readFolder(folder: string): Promise<Result<Files, readonly Problem[]>> {
  const root = await realpath(folder).catch(() => undefined);
  if (root === undefined) return no([ABSENT]);
  const manifest = await readText(root, MANIFEST);
  if (!manifest.ok) return no([{ file: MANIFEST, text: manifest.error, hint: 'npm run policies -- --write makes it' }]);
  const digests = parseManifest(manifest.value.text);
  if (!digests.ok) return no([{ file: MANIFEST, text: digests.error }]);

  const problems: Problem[] = [];
  const files = new Map<string, string>();
  const listing = await listFolder(root);
  for (const path of listing) {
    if (digests.value.has(path)) continue;
    problems.push({ file: path, text: 'is not in the manifest', hint: 'npm run policies -- --write, or remove it' });
  }
  for (const [path, digest] of digests.value) {
    const read = await readText(root, path);
    if (!read.ok) problems.push({ file: path, text: read.error });
    else if (read.value.digest !== digest) {
      problems.push({
        file: path,
        text: 'is not what the manifest says',
        hint: 'cut short, edited, or being written; npm run policies -- --write',
      });
    } else files.set(path, read.value.text);
  }
  return problems.length > 0 ? no(problems) : ok(files);
}

/** Every bundle file that lies there, whatever the manifest says: a candidate, to check before it is listed. Errors: as `readFolder`. */
export async function scanFolder(folder: string): Promise<Result<Files, readonly Problem[]>> {
  const root = await realpath(folder).catch(() => undefined);
  if (root === undefined) return no([ABSENT]);
  const problems: Problem[] = [];
  const files = new Map<string, string>();
  for (const path of await listFolder(root)) {
    const read = await readText(root, path);
    if (read.ok) files.set(path, read.value.text);
    else problems.push({ file: path, text: read.error });
  }
  return problems.length > 0 ? no(problems) : ok(files);
}

/** Paths of bundle files in the folder, relative and `/`-separated, in order; hidden ones (editors, git, Kubernetes' `..data`) left out. */
async function listFolder(root: string): Promise<readonly string[]> {
  const found: string[] = [];
  const walk = async (folder: string): Promise<void> => {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (entry.name.startsWith('.') || found.length > MAX_FILES) continue;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) await walk(path);
      else if (isBundleFile(entry.name)) found.push(relative(root, path).split(sep).join('/'));
    }
  };
  await walk(root);
  return found.sort();
}

/** One file as text: regular, inside the folder, small, UTF-8 without a byte order mark. Errors: what is wrong, in words. */
async function readText(root: string, path: string): Promise<Result<{ readonly text: string; readonly digest: string }, string>> {
  try {
    const real = await realpath(join(root, path));
    if (!real.startsWith(root + sep)) return no('leads out of the folder');
    const about = await lstat(real);
    // Before it is opened: a pipe would be waited for.
    if (!about.isFile()) return no('is not a file');
    if (about.size > MAX_FILE_BYTES) return no('is larger than 1 MB');
    const content = await readFile(real);
    if (content.length > MAX_FILE_BYTES) return no('is larger than 1 MB');
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
    if (text.startsWith('\ufeff')) return no('begins with a byte order mark');
    return ok({ text, digest: digestFile(content) });
  } catch (fault) {
    if (fault instanceof TypeError) return no('is not UTF-8');
    return no(fault instanceof Error && 'code' in fault && fault.code === 'ENOENT' ? 'is missing' : 'cannot be read');
  }
}
