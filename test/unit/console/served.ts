/** What pages read is what the operator API serves. A page's project has no types of Node, so it states what it needs of an answer; here `npm run types` holds both side by side. */

import type { Report } from '../../../src/bundle/bundle.ts';
import type { Stopped } from '../../../src/console/browser/agent-switch.ts';
import type * as shownAgents from '../../../src/console/browser/agent-types.ts';
import type { Approval } from '../../../src/console/browser/approval.ts';
import type { Line } from '../../../src/console/browser/entry-words.ts';
import type { Explained } from '../../../src/console/browser/explorer-story.ts';
import type { Told } from '../../../src/console/browser/fatigue.ts';
import type * as health from '../../../src/console/browser/health-types.ts';
import type * as shownKeys from '../../../src/console/browser/key-types.ts';
import type { Found } from '../../../src/console/browser/page-explorer.ts';
import type { Overview } from '../../../src/console/browser/page-now.ts';
import type * as shownPlay from '../../../src/console/browser/playground-types.ts';
import type { LeasesStatus } from '../../../src/mint/lease-status.ts';
import type * as agents from '../../../src/operate/agents.ts';
import type { ShownApproval } from '../../../src/operate/approvals-shown.ts';
import type { BackendsStatus } from '../../../src/operate/backends.ts';
import type { EntriesPage } from '../../../src/operate/entries.ts';
import type { ShownFatigue } from '../../../src/operate/fatigue.ts';
import type * as keys from '../../../src/operate/keys.ts';
import type { LiveEntry } from '../../../src/operate/live.ts';
import type * as overview from '../../../src/operate/overview.ts';
import type * as playground from '../../../src/operate/playground.ts';
import type { RevokeOutcome } from '../../../src/operate/revoke.ts';
import type * as story from '../../../src/operate/story.ts';
import type { SeenVerifier } from '../../../src/settle-feed.ts';

/** Compiles where whatever is served can be read as what the page takes it for. */
type Reads<Page, Served extends Page> = [Page, Served];
export type AsServed = [
  Reads<shownAgents.AgentList, agents.AgentsStatus>,
  Reads<shownAgents.AgentDetail, agents.AgentStatus>,
  Reads<shownKeys.RingStatus, keys.KeysStatus>,
  Reads<shownKeys.StepOutcome, keys.StepOutcome>,
  Reads<Line, LiveEntry>,
  Reads<Explained, story.Explained>,
  Reads<shownPlay.Stage, playground.Stage>,
  Reads<shownPlay.Played, playground.PlaygroundAnswer>,
  Reads<playground.PlaygroundQuestion, shownPlay.Question>,
  Reads<Approval, ShownApproval>,
  Reads<Stopped, RevokeOutcome>,
  Reads<Told, ShownFatigue>,
  Reads<Found, EntriesPage>,
  Reads<Overview, overview.Overview>,
  Reads<health.Report, Report>,
  Reads<health.Verifier, SeenVerifier>,
  Reads<health.Backends, BackendsStatus>,
  Reads<health.Leases, LeasesStatus>,
];
