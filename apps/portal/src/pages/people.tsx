// SPDX-License-Identifier: Apache-2.0
// People: what holds of a person, holds and orders that stand, and what was erased. A person is looked up by
// the application's own id, which is sent in a body and never stands in an address.
import { type FormEvent, useId, useState } from 'react';
import { get, type ProblemDocument, post, toProblem } from '../api/client.ts';
import { type EntrySearchPage, type Items, toEntryBody } from '../api/types.ts';
import { useResource } from '../api/use-resource.ts';
import type { PageProps } from '../page-props.ts';
import {
  Badge,
  Behind,
  Card,
  Empty,
  Failed,
  Hash,
  Instant,
  Note,
  PageHead,
  Pairs,
  Shown,
  Table,
  Whole,
} from '../parts/parts.tsx';
import { toRole, toTitle, toWords } from '../parts/words.ts';

interface Hold {
  readonly holdId: string;
  readonly subjectId?: string;
  readonly reference: string;
  readonly collections?: readonly string[];
  readonly categories?: readonly string[];
  readonly placedAt: string;
}

interface Order {
  readonly orderId: string;
  readonly measure: string;
  readonly reference: string;
  readonly jurisdiction?: string;
  readonly subjectId?: string;
  readonly state: string;
  readonly placedAt: string;
}

interface Standing {
  readonly subjectId: string;
  readonly consents: Readonly<Record<string, { readonly state: string; readonly at: string }>>;
  readonly objections: Readonly<Record<string, { readonly at: string }>>;
  readonly restriction?: { readonly ground: string; readonly at: string };
  readonly holds: readonly Hold[];
}

export function PeoplePage({ session }: PageProps) {
  const holds = useResource('holds', () => get<Items<Hold>>('/v1/holds'));
  const orders = useResource('orders', () => get<Items<Order>>('/v1/orders'));
  const erased = useResource('erasures', () =>
    post<EntrySearchPage>('/v1/entries/searches', { kinds: ['erasure'], pageSize: 20 }),
  );
  return (
    <>
      <PageHead
        title="People"
        lead="What people have said, what courts have ordered, and who was erased. Here a person is a pseudonym; who they are, your application knows."
      />
      <Whole of={[holds, orders, erased]}>
        <Card
          title="What holds of a person"
          hint="By your application’s own id of the person. It is sent in a body, turned into a pseudonym, and kept nowhere."
        >
          <Lookup />
        </Card>
        <div className="columns">
          <Card title="Legal holds" hint="What they are on is neither deleted nor erased.">
            <Shown of={holds}>{({ items }) => <Holds items={items} />}</Shown>
          </Card>
          <Card title="Legal orders" hint="Freeze, read-only, suspend: they act at once.">
            <Shown of={orders}>{({ items }) => <Orders items={items} />}</Shown>
          </Card>
        </div>
        <Card
          title="Erased people"
          hint="Their keys are destroyed in every replica, so every copy of their data is noise."
        >
          <Shown of={erased}>{(page) => <Erasures page={page} />}</Shown>
        </Card>
        <Behind
          commands={[
            `bailiwick erase ${session.residency} --subject <file> --account privacy-officer`,
          ]}
          calls={[
            'POST /v1/standings/searches',
            'GET /v1/holds',
            'GET /v1/orders',
            'POST /v1/erasures',
          ]}
        />
      </Whole>
    </>
  );
}

function Lookup() {
  const id = useId();
  const [subject, setSubject] = useState('');
  const [standing, setStanding] = useState<Standing | undefined>();
  const [problem, setProblem] = useState<ProblemDocument | undefined>();
  const look = (event: FormEvent): void => {
    event.preventDefault();
    setStanding(undefined);
    setProblem(undefined);
    post<Standing>('/v1/standings/searches', { subject: subject.trim() }).then(
      setStanding,
      (error: unknown) => setProblem(toProblem(error)),
    );
  };
  return (
    <div className="stack">
      <form className="row at-end" onSubmit={look}>
        <div className="field">
          <label htmlFor={id}>Your id of the person</label>
          <input
            id={id}
            type="search"
            value={subject}
            onChange={(event) => setSubject(event.target.value)}
            autoComplete="off"
            spellCheck={false}
            required
          />
        </div>
        <button type="submit" className="button primary" disabled={subject.trim() === ''}>
          Look up
        </button>
      </form>
      <div aria-live="polite">
        {problem === undefined ? null : <Failed problem={problem} />}
        {standing === undefined ? null : <StandingText standing={standing} />}
      </div>
    </div>
  );
}

function StandingText({ standing }: { readonly standing: Standing }) {
  const { subjectId, consents, objections, restriction, holds } = standing;
  const [given, against] = [Object.entries(consents), Object.keys(objections)];
  const isPlain = given.length + against.length + holds.length === 0 && restriction === undefined;
  return (
    <div className="stack">
      {isPlain ? (
        <Note title="Nothing is on record of this person.">
          <p>No consent, objection, restriction or hold. Purposes that need consent are denied.</p>
        </Note>
      ) : null}
      <Pairs
        items={[
          ['Pseudonym here', <Hash key="id" of={subjectId} isWhole />],
          [
            'Consent',
            given.length === 0
              ? 'none on record'
              : given.map(([purpose, { state }]) => (
                  <Badge key={purpose} tone={state === 'given' ? 'good' : 'warn'}>
                    {toWords(purpose)}: {state}
                  </Badge>
                )),
          ],
          ['Objections', against.length === 0 ? 'none' : against.map(toWords).join(', ')],
          ['Restriction', restriction === undefined ? 'none' : toWords(restriction.ground)],
          [
            'Holds',
            holds.length === 0 ? 'none' : holds.map(({ reference }) => reference).join(', '),
          ],
        ]}
      />
    </div>
  );
}

function Holds({ items }: { readonly items: readonly Hold[] }) {
  if (items.length === 0) return <Empty title="No hold stands." />;
  return (
    <Table
      label="Legal holds"
      rows={items}
      keyOf={({ holdId }) => holdId}
      columns={[
        { name: 'Reference', show: ({ reference }) => reference },
        {
          name: 'On',
          show: ({ subjectId, collections, categories }) =>
            subjectId === undefined ? (
              [...(collections ?? []), ...(categories ?? [])].map(toWords).join(', ') ||
              'everything'
            ) : (
              <Hash of={subjectId} />
            ),
        },
        { name: 'Since', show: ({ placedAt }) => <Instant at={placedAt} /> },
      ]}
    />
  );
}

function Orders({ items }: { readonly items: readonly Order[] }) {
  if (items.length === 0) return <Empty title="No order was placed." />;
  return (
    <Table
      label="Legal orders"
      rows={items}
      keyOf={({ orderId }) => orderId}
      columns={[
        { name: 'Reference', show: ({ reference }) => reference },
        { name: 'Measure', show: ({ measure }) => toTitle(measure) },
        { name: 'On data of', show: ({ jurisdiction }) => jurisdiction ?? 'anywhere' },
        {
          name: 'State',
          show: ({ state }) => (
            <Badge tone={state === 'in-force' ? 'warn' : 'plain'}>{toWords(state)}</Badge>
          ),
        },
      ]}
    />
  );
}

function Erasures({ page }: { readonly page: EntrySearchPage }) {
  const rows = page.items.flatMap((item) => {
    const body = toEntryBody(item);
    return body === undefined ? [] : [{ id: item.entry, body }];
  });
  if (rows.length === 0) {
    return (
      <Empty title="Nobody has been erased here.">
        <p>Each erasure stands here with its receipts from every replica of the erasable store.</p>
      </Empty>
    );
  }
  return (
    <Table
      label="Erasures"
      rows={rows}
      keyOf={({ id }) => id}
      columns={[
        { name: 'When', show: ({ body }) => <Instant at={body.at} /> },
        {
          name: 'Pseudonym',
          show: ({ body }) => (body.subject === undefined ? '–' : <Hash of={body.subject} />),
        },
        {
          name: 'Step',
          show: ({ body }) =>
            toWords(String(body.facts?.['step'] ?? body.facts?.['state'] ?? 'entered')),
        },
        { name: 'Who', show: ({ body }) => toRole(body.actor?.role ?? 'the cell') },
        { name: 'Entry', show: ({ id }) => <Hash of={id} /> },
      ]}
    />
  );
}
