/** The way out: of this console, and on to where the broker says that the login ends too. */
import { api, base, Refused } from './api.ts';
import { toast } from './toast.ts';

export async function logOut(which: 'this' | 'all'): Promise<void> {
  try {
    const { location: there = `${base}/console` } = await api.post<{ readonly location?: string }>(`/console/logout?which=${which}`);
    location.assign(there);
  } catch (fault) {
    // Who is not logged in any more is out already; anybody else must not think so.
    if (fault instanceof Refused && fault.status === 401) location.assign(`${base}/console`);
    else toast(`You are still logged in. ${fault instanceof Refused ? fault.message : ''}`);
  }
}
