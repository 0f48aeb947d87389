/** Loaded before a program (`node --import`): names under `.internal` are this machine, as compose.yml's network would have them. */
import dns from 'node:dns';

type Lookup = (name: string, options: dns.LookupAllOptions, done: (fault: Error | null, found: dns.LookupAddress[]) => void) => void;
const lookup = dns.lookup as Lookup;
const here: Lookup = (name, options, done) => lookup(name.endsWith('.internal') ? '127.0.0.1' : name, options, done);
Object.assign(dns, { lookup: here });
