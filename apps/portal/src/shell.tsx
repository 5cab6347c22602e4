// SPDX-License-Identifier: Apache-2.0
// What stands around every page: where one is, who one is, where one can go.
import { type MouseEvent, useEffect, useState } from 'react';
import { remove } from './api/client.ts';
import type { Session } from './api/types.ts';
import type { PageProps } from './page-props.ts';
import { AccessPage } from './pages/access.tsx';
import { DecisionsPage } from './pages/decisions.tsx';
import { EvidencePage } from './pages/evidence.tsx';
import { KeysPage } from './pages/keys.tsx';
import { OperationsPage } from './pages/operations.tsx';
import { PeoplePage } from './pages/people.tsx';
import { TransfersPage } from './pages/transfers.tsx';
import { WherePage } from './pages/where.tsx';
import { Icon, type IconName, Mark } from './parts/icons.tsx';
import { Empty, PageHead } from './parts/parts.tsx';
import { toRole } from './parts/words.ts';
import { goTo, toHref, usePage } from './router.ts';

interface Page {
  readonly name: string;
  readonly title: string;
  readonly icon: IconName;
  readonly show: (props: PageProps) => React.ReactNode;
}

const PAGES: readonly Page[] = [
  { name: '', title: 'Where my data is', icon: 'where', show: WherePage },
  { name: 'keys', title: 'Keys', icon: 'keys', show: KeysPage },
  { name: 'access', title: 'Access', icon: 'access', show: AccessPage },
  { name: 'decisions', title: 'Decisions', icon: 'decisions', show: DecisionsPage },
  { name: 'transfers', title: 'Transfers', icon: 'transfers', show: TransfersPage },
  { name: 'people', title: 'People', icon: 'people', show: PeoplePage },
  { name: 'evidence', title: 'Evidence', icon: 'evidence', show: EvidencePage },
  { name: 'operations', title: 'Operations', icon: 'operations', show: OperationsPage },
];

type Theme = 'system' | 'light' | 'dark';
const THEMES: readonly Theme[] = ['system', 'light', 'dark'];

function readTheme(): Theme {
  const { theme } = document.documentElement.dataset;
  return theme === 'light' || theme === 'dark' ? theme : 'system';
}

function ThemeButton() {
  const [theme, setTheme] = useState(readTheme);
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'system';
  const change = (): void => {
    if (next === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = next;
    try {
      if (next === 'system') localStorage.removeItem('bailiwick-theme');
      else localStorage.setItem('bailiwick-theme', next);
    } catch {
      // Chosen for this visit only.
    }
    setTheme(next);
  };
  return (
    <button type="button" className="button small" onClick={change}>
      <Icon name="sun" size={15} />
      <span className="unseen">Theme: </span>
      {theme === 'system' ? 'Auto' : theme === 'light' ? 'Light' : 'Dark'}
    </button>
  );
}

export function Shell({
  session,
  onSignedOut,
}: {
  readonly session: Session;
  readonly onSignedOut: () => void;
}) {
  const name = usePage();
  const [isOpen, setIsOpen] = useState(false);
  const page = PAGES.find((one) => one.name === name);
  // A reader who goes to a page hears its heading, as one who loads it does.
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new page is what this is for
  useEffect(() => {
    setIsOpen(false);
    if (document.activeElement?.closest('.nav') != null) {
      document.getElementById('page-title')?.focus({ preventScroll: true });
    }
  }, [name]);
  const signOut = (): void => {
    remove('/v1/session').then(onSignedOut, onSignedOut);
  };
  return (
    <div className="shell">
      <a className="skip" href="#main">
        To the page
      </a>
      <header className="top">
        <div className="brand">
          <Mark />
          <div>
            <strong>Bailiwick</strong>
            <span>{session.cell}</span>
          </div>
        </div>
        <button
          type="button"
          className="button"
          aria-expanded={isOpen}
          aria-controls="side"
          onClick={() => setIsOpen(!isOpen)}
        >
          <Icon name="menu" />
          Pages
        </button>
      </header>
      <aside className="side" id="side" aria-label="Pages and account" data-open={isOpen}>
        <div className="brand">
          <Mark />
          <div>
            <strong>Bailiwick</strong>
            <span>cell {session.cell}</span>
          </div>
        </div>
        <Nav current={name} />
        <div className="me">
          <dl>
            <dt>Signed in as</dt>
            <dd>{toRole(session.role)}</dd>
          </dl>
          <div className="me-actions">
            <ThemeButton />
            <button type="button" className="button small" onClick={signOut}>
              Sign out
            </button>
          </div>
        </div>
      </aside>
      <main className="main" id="main">
        <div className="main-inner" key={name}>
          {page === undefined ? <Nowhere /> : <page.show session={session} />}
        </div>
      </main>
    </div>
  );
}

function Nav({ current }: { readonly current: string }) {
  const follow = (event: MouseEvent, name: string): void => {
    // Whoever opens a page beside this one is left to the browser.
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    goTo(name);
  };
  return (
    <nav className="nav" aria-label="Pages">
      {PAGES.map(({ name, title, icon }) => (
        <a
          key={name}
          href={toHref(name)}
          aria-current={name === current ? 'page' : undefined}
          onClick={(event) => follow(event, name)}
        >
          <Icon name={icon} size={19} />
          {title}
        </a>
      ))}
    </nav>
  );
}

function Nowhere() {
  return (
    <>
      <PageHead title="No such page" lead="The address names none of the pages here." />
      <Empty title="Choose one of the pages in the list.">
        <p>Addresses hold a page’s name and nothing else.</p>
      </Empty>
    </>
  );
}
