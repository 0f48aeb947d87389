/** Puts a module of the bench in a module's place, before anything is loaded: for what no option of the broker can leave out. */
import { registerHooks } from 'node:module';

/** `from`: how the address of the module ends. Who is inside `to` still gets the real one. */
export function swap(from: string, to: string): void {
  registerHooks({
    resolve(specifier, context, next) {
      const found = next(specifier, context);
      return found.url.endsWith(from) && context.parentURL !== to ? { ...found, url: to } : found;
    },
  });
}
