/** Every page, in the order of the menu: its name in the address, its title, who may see it, and the key after `g` that leads there. */
type RoleName = 'viewer' | 'approver' | 'operator' | 'auditor' | 'self';
export interface PageEntry {
  readonly name: string;
  readonly title: string;
  readonly roles: readonly RoleName[];
  readonly key: string;
}
const ALL = ['viewer', 'approver', 'operator', 'auditor'] as const;

export const PAGES: readonly PageEntry[] = [
  { name: 'now', title: 'Now', roles: ALL, key: 'n' },
  { name: 'approvals', title: 'Approvals', roles: ['approver', 'operator', 'auditor'], key: 'a' },
  { name: 'agents', title: 'Agents', roles: ALL, key: 'g' },
  { name: 'explorer', title: 'Explorer', roles: ['approver', 'operator', 'auditor'], key: 'e' },
  { name: 'playground', title: 'Playground', roles: ALL, key: 'p' },
  { name: 'keys', title: 'Keys', roles: ALL, key: 'k' },
  { name: 'health', title: 'Health', roles: ALL, key: 'h' },
  { name: 'me', title: 'You', roles: [...ALL, 'self'], key: 'm' },
];
/** Where somebody with these roles begins. */
export const firstPage = (roles: readonly string[]): string => PAGES.find((page) => maySee(page, roles))?.name ?? 'me';
export const maySee = (page: PageEntry, roles: readonly string[]): boolean => page.roles.some((role) => roles.includes(role));
