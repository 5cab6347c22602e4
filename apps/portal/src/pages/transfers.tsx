// SPDX-License-Identifier: Apache-2.0
// Transfers: everything that left or was to leave, on which ground, and what was refused.
import { get, post } from '../api/client.ts';
import {
  type EntryBody,
  type EntrySearchPage,
  type Items,
  type MechanismAnswer,
  type Mechanisms,
  type Transfers,
  toEntryBody,
} from '../api/types.ts';
import { useResource } from '../api/use-resource.ts';
import type { PageProps } from '../page-props.ts';
import {
  Badge,
  Behind,
  Card,
  Empty,
  Hash,
  Instant,
  PageHead,
  Shown,
  Stats,
  Table,
  type Tone,
  Whole,
} from '../parts/parts.tsx';
import { toCount, toDay, toRole, toTitle, toWords } from '../parts/words.ts';
import { TransferState } from './transfer-state.tsx';

interface Delivery {
  readonly deliveryId: string;
  readonly from: string;
  readonly entryId: string;
  readonly receivedAt: string;
}

const LOOK_MS = 10_000;
const STATES: Readonly<Record<MechanismAnswer['state'], readonly [string, Tone]>> = {
  'in-force': ['in force', 'good'],
  'not-yet': ['not yet', 'plain'],
  ended: ['ended', 'warn'],
  suspended: ['suspended', 'bad'],
};

export function TransfersPage({ session }: PageProps) {
  const transfers = useResource('transfers', () => get<Transfers>('/v1/transfers'), {
    everyMs: LOOK_MS,
  });
  const deliveries = useResource('deliveries', () => get<Items<Delivery>>('/v1/deliveries'));
  const mechanisms = useResource('mechanisms', () => get<Mechanisms>('/v1/mechanisms'));
  const refused = useResource('refused', () =>
    post<EntrySearchPage>('/v1/entries/searches', { outcome: 'deny', pageSize: 20 }),
  );
  return (
    <>
      <PageHead
        title="Transfers"
        lead="Whatever leaves this cell is a transfer: asked for, decided, transformed, delivered, and on record on both sides."
      />
      <Whole of={[transfers, deliveries, mechanisms, refused]}>
        <Shown of={transfers} lines={2}>
          {({ items }) => <Sums items={items} />}
        </Shown>
        <Card title="Register" hint="Newest first; what is refused stands here as well.">
          <Shown of={transfers} lines={5}>
            {({ items }) => <Register items={items} />}
          </Shown>
        </Card>
        <div className="columns">
          <Card title="Grounds" hint="What the charter lets transfers rest on, and until when.">
            <Shown of={mechanisms}>{({ items }) => <Grounds items={items} />}</Shown>
          </Card>
          <Card title="What came here" hint="Figures that other cells delivered for you.">
            <Shown of={deliveries}>{({ items }) => <Deliveries items={items} />}</Shown>
          </Card>
        </div>
        <Card
          title="Refused flows"
          hint="From the ledger: what was asked, by which role, and which rules said no."
        >
          <Shown of={refused} lines={5}>
            {(page) => <Refused page={page} />}
          </Shown>
        </Card>
        <Behind
          commands={[
            `bailiwick transfer show ${session.residency} <transferId>`,
            `bailiwick ledger search ${session.residency} --outcome deny`,
          ]}
          calls={[
            'GET /v1/transfers',
            'GET /v1/deliveries',
            'GET /v1/mechanisms',
            'POST /v1/entries/searches',
          ]}
        />
      </Whole>
    </>
  );
}

function Sums({ items }: { readonly items: Transfers['items'] }) {
  const countOf = (states: readonly string[]): string =>
    toCount(items.filter(({ state }) => states.includes(state)).length);
  const groups = items.reduce((sum, { groupCount = 0 }) => sum + groupCount, 0);
  const held = items.reduce((sum, { suppressedCount = 0 }) => sum + suppressedCount, 0);
  return (
    <Stats
      items={[
        { name: 'Done', value: countOf(['completed', 'delivered']), hint: 'of the newest 100' },
        { name: 'Under way', value: countOf(['accepted', 'prepared']) },
        { name: 'Refused or failed', value: countOf(['refused', 'failed']) },
        {
          name: 'Figures that left',
          value: toCount(groups),
          hint: `${toCount(held)} held back as too small`,
        },
      ]}
    />
  );
}

function Register({ items }: { readonly items: Transfers['items'] }) {
  if (items.length === 0) {
    return (
      <Empty title="No transfer has been asked for.">
        <p>Applications ask with POST /v1/transfers; each is decided before anything moves.</p>
      </Empty>
    );
  }
  return (
    <Table
      label="Transfers out of this cell"
      rows={items}
      keyOf={({ transferId }) => transferId}
      columns={[
        { name: 'Asked', show: ({ createdAt }) => <Instant at={createdAt} /> },
        { name: 'Kind', show: ({ kind }) => toTitle(kind) },
        { name: 'To', show: ({ destination: { id, kind } }) => id ?? toWords(kind) },
        { name: 'Form', show: ({ form }) => toWords(form) },
        { name: 'Purpose', show: ({ purpose }) => toWords(purpose) },
        {
          name: 'Figures',
          isNumber: true,
          show: ({ groupCount }) => (groupCount === undefined ? '–' : toCount(groupCount)),
        },
        {
          name: 'State',
          show: ({ state, problem }) => (
            <>
              <TransferState state={state} />
              {problem === undefined ? null : (
                <span className="muted small mono"> {problem.code}</span>
              )}
            </>
          ),
        },
        {
          name: 'Statement',
          show: ({ statementHash }) =>
            statementHash === undefined ? '–' : <Hash of={statementHash} />,
        },
      ]}
    />
  );
}

function Grounds({ items }: { readonly items: readonly MechanismAnswer[] }) {
  if (items.length === 0) return <Empty title="The charter names no grounds of transfers." />;
  return (
    <Table
      label="Grounds of transfers"
      rows={items}
      keyOf={({ id }) => id}
      columns={[
        { name: 'Ground', show: ({ id, means }) => <Ground id={id} means={means} /> },
        { name: 'Under', show: ({ under }) => Object.keys(under).join(', ') },
        {
          name: 'State',
          show: ({ state, endsAt }) => {
            const [words, tone] = STATES[state];
            return (
              <>
                <Badge tone={tone}>{words}</Badge>{' '}
                <span className="muted small">
                  {endsAt === undefined ? 'no end named' : `until ${toDay(endsAt)}`}
                </span>
              </>
            );
          },
        },
      ]}
    />
  );
}

function Ground({ id, means }: { readonly id: string; readonly means: string }) {
  return (
    <>
      <strong>{id}</strong>
      <span className="muted small"> {means}</span>
    </>
  );
}

function Deliveries({ items }: { readonly items: readonly Delivery[] }) {
  if (items.length === 0) return <Empty title="Nothing has come from other cells." />;
  return (
    <Table
      label="Deliveries"
      rows={items}
      keyOf={({ deliveryId }) => deliveryId}
      columns={[
        { name: 'When', show: ({ receivedAt }) => <Instant at={receivedAt} /> },
        { name: 'From', show: ({ from }) => from },
        { name: 'Entry', show: ({ entryId }) => <Hash of={entryId} /> },
      ]}
    />
  );
}

function Refused({ page }: { readonly page: EntrySearchPage }) {
  const rows = page.items.flatMap((item): { readonly id: string; readonly body: EntryBody }[] => {
    const body = toEntryBody(item);
    return body?.flow === undefined ? [] : [{ id: item.entry, body }];
  });
  if (rows.length === 0) return <Empty title="Nothing has been refused." />;
  return (
    <Table
      label="Refused flows"
      rows={rows}
      keyOf={({ id }) => id}
      columns={[
        { name: 'When', show: ({ body }) => <Instant at={body.at} /> },
        { name: 'Who', show: ({ body }) => toRole(body.actor?.role ?? 'the cell') },
        {
          name: 'Flow',
          show: ({ body: { flow } }) =>
            flow === undefined
              ? '–'
              : `${flow.action} ${flow.data.categories.map(toWords).join(', ')} as ${toWords(flow.form)} to ${flow.to.id ?? flow.to.location}`,
        },
        {
          name: 'Why',
          show: ({ body: { decision } }) => (
            <>
              <Badge tone="warn">{toWords(decision?.cause ?? 'denied')}</Badge>{' '}
              <span className="muted small">{decision?.rules.map(toWords).join(', ')}</span>
            </>
          ),
        },
      ]}
    />
  );
}
