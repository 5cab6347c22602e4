// SPDX-License-Identifier: Apache-2.0
// Keys: who holds what, how it stands, and the switch. Turning it is said before, while and after.
import { useState } from 'react';
import { get, type ProblemDocument, post, toProblem } from '../api/client.ts';
import type { EntrySearchPage, Items, Key, KeyChange } from '../api/types.ts';
import { toEntryBody } from '../api/types.ts';
import { useResource } from '../api/use-resource.ts';
import type { PageProps } from '../page-props.ts';
import { Icon } from '../parts/icons.tsx';
import {
  Ask,
  Badge,
  Behind,
  Card,
  Empty,
  Failed,
  Hash,
  Instant,
  Note,
  PageHead,
  Shown,
  Table,
  Whole,
} from '../parts/parts.tsx';
import { toCounted, toRole, toTitle } from '../parts/words.ts';
import { ChangeSteps } from './key-change.tsx';

const TURNING: readonly string[] = ['security-officer', 'tenant-admin'];
const LOOK_MS = 10_000;
const NAMES: Readonly<Record<string, string>> = {
  'customer-key': 'Customer key',
  'tenant-key': 'Tenant key',
  'collection-key': 'Collection key',
};
const TASKS: Readonly<Record<string, string>> = {
  'customer-key': 'Yours, at your own provider. It wraps the tenant key and nothing else.',
  'tenant-key': 'Wraps the keys below it. Lives in this cell, only as a wrap under yours.',
};

export function KeysPage({ session }: PageProps) {
  const keys = useResource('keys', () => get<Items<Key>>('/v1/keys'), { everyMs: LOOK_MS });
  const history = useResource('key-history', () =>
    post<EntrySearchPage>('/v1/entries/searches', { kinds: ['key'], pageSize: 12 }),
  );
  const reload = (): void => {
    keys.reload();
    history.reload();
  };
  return (
    <>
      <PageHead
        title="Keys"
        lead="Everything about a person here is ciphertext under a key of that person, which is wrapped under yours. Turn yours off, and none of it can be read, by anybody, until you turn it on again."
      />
      <Whole of={[keys, history]}>
        <Shown of={keys} lines={6}>
          {({ items }) => <KeyParts items={items} role={session.role} onChanged={reload} />}
        </Shown>
        <Card title="What was done with your keys" hint="From the ledger, newest first.">
          <Shown of={history}>{(value) => <History value={value} />}</Shown>
        </Card>
        <Behind
          commands={[
            `bailiwick key show ${session.residency}`,
            `bailiwick key disable ${session.residency}`,
            `bailiwick key enable ${session.residency}`,
          ]}
          calls={[
            'GET /v1/keys',
            'POST /v1/keys/{keyId}/disablements',
            'POST /v1/keys/{keyId}/enablements',
          ]}
        />
      </Whole>
    </>
  );
}

function KeyParts({
  items,
  role,
  onChanged,
}: {
  readonly items: readonly Key[];
  readonly role: string;
  readonly onChanged: () => void;
}) {
  const customer = items.find(({ kind }) => kind === 'customer-key');
  if (customer === undefined) {
    return <Empty title="Your organisation has no keys in this cell." />;
  }
  return (
    <>
      {customer.state === 'enabled' ? null : (
        <Note tone="bad" title="Your key is disabled.">
          <p>
            Data of {toCounted(customer.subjectsCount, 'person', 'people')} in this cell cannot be
            read or written by anybody. Other organisations go on.
          </p>
        </Note>
      )}
      <div className="columns">
        <Card title="The hierarchy">
          <Hierarchy items={items} />
        </Card>
        <Card title="The switch">
          <Switch customer={customer} role={role} onChanged={onChanged} />
        </Card>
      </div>
    </>
  );
}

function Hierarchy({ items }: { readonly items: readonly Key[] }) {
  const [top] = items;
  return (
    <ol className="tree">
      {items.map((key) => (
        <li key={key.keyId} data-state={key.state}>
          <span className="knot">
            <Icon name={key.state === 'enabled' ? 'keys' : 'lock'} />
          </span>
          <div className="tree-text">
            <h3>{NAMES[key.kind] ?? toTitle(key.kind)}</h3>
            <p className="muted small">{TASKS[key.kind] ?? ''}</p>
            <p className="muted small">
              version {key.version} · provider {key.provider} · <Hash of={key.keyId} /> · changed{' '}
              <Instant at={key.changedAt} />
            </p>
          </div>
          <Badge tone={key.state === 'enabled' ? 'good' : 'bad'}>{key.state}</Badge>
        </li>
      ))}
      <li data-state={top?.state}>
        <span className="knot">
          <Icon name="people" />
        </span>
        <div className="tree-text">
          <h3>{toCounted(top?.subjectsCount ?? 0, 'subject key')}</h3>
          <p className="muted small">
            One per person. Erasing a person destroys theirs, in every copy and backup at once.
          </p>
        </div>
      </li>
    </ol>
  );
}

function Switch({
  customer,
  role,
  onChanged,
}: {
  readonly customer: Key;
  readonly role: string;
  readonly onChanged: () => void;
}) {
  const [isAsking, setIsAsking] = useState(false);
  const [isTurning, setIsTurning] = useState(false);
  const [change, setChange] = useState<KeyChange | undefined>();
  const [problem, setProblem] = useState<ProblemDocument | undefined>();
  const isOn = customer.state === 'enabled';
  const turn = async (isYes: boolean): Promise<void> => {
    setIsAsking(false);
    if (!isYes) return;
    setIsTurning(true);
    setProblem(undefined);
    setChange(undefined);
    const noun = isOn ? 'disablements' : 'enablements';
    try {
      setChange(await post<KeyChange>(`/v1/keys/${customer.keyId}/${noun}`));
      onChanged();
    } catch (error) {
      setProblem(toProblem(error));
    } finally {
      setIsTurning(false);
    }
  };
  return (
    <div className="stack">
      <p>
        {isOn
          ? 'Disabling takes effect in every process of this cell: each signs that it dropped the key, or its lease runs out within about a second.'
          : 'Enabling lets the processes of this cell lease the key again. What was sealed before opens as before; nothing was lost.'}
      </p>
      {TURNING.includes(role) ? (
        <div>
          <button
            type="button"
            className={`button ${isOn ? 'danger' : 'primary'}`}
            disabled={isTurning}
            onClick={() => setIsAsking(true)}
          >
            <Icon name={isOn ? 'lock' : 'keys'} size={17} />
            {isTurning ? 'Waiting for every process…' : isOn ? 'Disable the key' : 'Enable the key'}
          </button>
        </div>
      ) : (
        <p className="muted">
          {toRole(role)}s see the keys and do not turn them. Security officers and tenant
          administrators do.
        </p>
      )}
      {problem === undefined ? null : <Failed problem={problem} />}
      <div aria-live="polite">{change === undefined ? null : <ChangeSteps change={change} />}</div>
      {isAsking ? (
        <Consequences isOn={isOn} customer={customer} onAnswer={(isYes) => void turn(isYes)} />
      ) : null}
    </div>
  );
}

function Consequences({
  isOn,
  customer,
  onAnswer,
}: {
  readonly isOn: boolean;
  readonly customer: Key;
  readonly onAnswer: (isYes: boolean) => void;
}) {
  const people = toCounted(customer.subjectsCount, 'person', 'people');
  if (!isOn) {
    return (
      <Ask title="Enable your key?" action="Enable the key" tone="primary" onAnswer={onAnswer}>
        <p>
          Your applications read and write the data of {people} in this cell again, from now on. It
          is entered in the ledger under your account.
        </p>
      </Ask>
    );
  }
  return (
    <Ask title="Disable your key?" action="Disable the key" onAnswer={onAnswer}>
      <ul className="list dots">
        <li>Reading and writing data of {people} in this cell stops, within about a second.</li>
        <li>Your applications get status 423 and must expect it; answers under way are cut off.</li>
        <li>Transfers, exports and jobs over this data wait or fail.</li>
        <li>Counts, the ledger, proofs and these pages go on.</li>
        <li>Nothing is deleted. Enabling the key brings everything back.</li>
        <li>Other organisations and your other cells notice nothing.</li>
      </ul>
      <p className="muted">It is entered in the ledger under your account.</p>
    </Ask>
  );
}

function History({ value }: { readonly value: EntrySearchPage }) {
  const rows = value.items.flatMap((item) => {
    const body = toEntryBody(item);
    return body === undefined ? [] : [{ id: item.entry, body }];
  });
  if (rows.length === 0) {
    return (
      <Empty title="Nothing has been done with your keys yet.">
        <p>Each change stands here with who asked for it, twice: when asked, and when done.</p>
      </Empty>
    );
  }
  return (
    <Table
      label="Changes of keys"
      rows={rows}
      keyOf={({ id }) => id}
      columns={[
        { name: 'When', show: ({ body }) => <Instant at={body.at} /> },
        { name: 'What', show: ({ body }) => <KeyDeed facts={body.facts ?? {}} /> },
        { name: 'Step', show: ({ body }) => String(body.facts?.['step'] ?? '–') },
        {
          name: 'Who',
          show: ({ body }) => (body.actor === undefined ? 'the cell' : toRole(body.actor.role)),
        },
        { name: 'Entry', show: ({ id }) => <Hash of={id} /> },
      ]}
    />
  );
}

function KeyDeed({ facts }: { readonly facts: Readonly<Record<string, unknown>> }) {
  const to = facts['to'];
  if (typeof to === 'string') {
    return (
      <Badge tone={to === 'disabled' ? 'bad' : to === 'enabled' ? 'good' : 'plain'}>{to}</Badge>
    );
  }
  const what = facts['action'] ?? facts['change'] ?? facts['step'];
  return <Badge>{typeof what === 'string' && what.length < 40 ? toTitle(what) : 'Change'}</Badge>;
}
