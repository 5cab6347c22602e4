// SPDX-License-Identifier: Apache-2.0
// Decisions: ask what the charter would say, and ask again what it said. Each answer is the enforcement
// point's own, with the rules and their sources; asking is itself on record.
import { type FormEvent, useState } from 'react';
import { get, type ProblemDocument, post, toProblem } from '../api/client.ts';
import {
  type Cells,
  type Charter,
  type Decision,
  type EntryBody,
  type EntrySearchPage,
  type Items,
  type Places,
  toEntryBody,
  type WireFlow,
} from '../api/types.ts';
import { type Resource, useResource } from '../api/use-resource.ts';
import type { PageProps } from '../page-props.ts';
import {
  Badge,
  Behind,
  Card,
  Choice,
  Empty,
  Failed,
  Instant,
  Note,
  PageHead,
  Shown,
  Table,
  Whole,
} from '../parts/parts.tsx';
import { toTitle, toWords } from '../parts/words.ts';
import { Answer } from './decision-answer.tsx';
import { FLOW_WORDS, type FlowDraft, toDraft, toFlow } from './flow-draft.ts';

interface Words {
  readonly charter: Charter;
  readonly cells: Cells['items'];
  readonly places: Places['items'];
}

async function loadWords(): Promise<Words> {
  const [charter, cells, places] = await Promise.all([
    get<Charter>('/v1/charter'),
    get<Cells>('/v1/cells'),
    get<Places>('/v1/places'),
  ]);
  return { charter, cells: cells.items, places: places.items };
}

const ask = async (flow: WireFlow): Promise<Decision> => {
  const { items } = await post<Items<Decision>>('/v1/decisions', { flows: [flow] });
  const [decision] = items;
  if (decision === undefined) throw new Error('the cell gave no decision');
  return decision;
};

export function DecisionsPage({ session }: PageProps) {
  const words = useResource('words', loadWords);
  const past = useResource('past-decisions', () =>
    post<EntrySearchPage>('/v1/entries/searches', {
      kinds: ['decision', 'read', 'transfer'],
      pageSize: 15,
    }),
  );
  return (
    <>
      <PageHead
        title="Decisions"
        lead="What the charter says to a flow: who does what with which data, where, for which purpose, in which form. Change one thing and ask again; what is denied comes with the nearest flow that would be allowed."
      />
      <Whole of={[words, past]}>
        <Shown of={words} lines={8}>
          {(value) => <WhatIf words={value} residency={session.residency} />}
        </Shown>
        <PastDecisions past={past} />
        <Behind
          commands={[
            `bailiwick decide ${session.residency} --flow flow.yaml`,
            'bailiwick charter explain charters/retailer.yaml --flow flow.yaml',
          ]}
          calls={['POST /v1/decisions', 'POST /access/v1/evaluations', 'POST /v1/entries/searches']}
        />
      </Whole>
    </>
  );
}

interface Asked {
  readonly decision?: Decision;
  readonly problem?: ProblemDocument;
  readonly isAsking: boolean;
}

function WhatIf({ words, residency }: { readonly words: Words; readonly residency: string }) {
  const [draft, setDraft] = useState<FlowDraft>(() => toDraft(residency));
  const [asked, setAsked] = useState<Asked>({ isAsking: false });
  const change = (part: Partial<FlowDraft>): void => setDraft({ ...draft, ...part });
  const run = (of: FlowDraft): void => {
    setAsked((before) => ({ ...before, isAsking: true }));
    ask(toFlow(of, words)).then(
      (decision) => setAsked({ decision, isAsking: false }),
      (error: unknown) => setAsked({ problem: toProblem(error), isAsking: false }),
    );
  };
  const take = (nearest: Readonly<Record<string, string>>): void => {
    const next = { ...draft, ...nearest };
    setDraft(next);
    run(next);
  };
  return (
    <div className="columns">
      <Card title="What if …">
        <form
          className="stack"
          onSubmit={(event: FormEvent) => {
            event.preventDefault();
            run(draft);
          }}
        >
          <FlowForm words={words} draft={draft} onChange={change} />
          <div>
            <button type="submit" className="button primary" disabled={asked.isAsking}>
              {asked.isAsking ? 'Asking…' : 'Ask the charter'}
            </button>
          </div>
        </form>
      </Card>
      <Card title="The answer">
        <div aria-live="polite">
          {asked.problem === undefined ? null : <Failed problem={asked.problem} />}
          {asked.decision === undefined ? (
            asked.problem === undefined ? (
              <Empty title="Nothing asked yet.">
                <p>The form holds a flow that is denied. Ask, and see why.</p>
              </Empty>
            ) : null
          ) : (
            <Answer decision={asked.decision} onTake={take} />
          )}
        </div>
      </Card>
    </div>
  );
}

const toOptions = (names: readonly string[]): readonly (readonly [string, string])[] =>
  names.map((name) => [name, toTitle(name)] as const);

function FlowForm({
  words: { charter, cells, places },
  draft,
  onChange,
}: {
  readonly words: Words;
  readonly draft: FlowDraft;
  readonly onChange: (part: Partial<FlowDraft>) => void;
}) {
  const countries = places
    .filter(({ cell }) => cell !== undefined)
    .map(({ origin, name }) => [origin, name] as const)
    .sort(([, a], [, b]) => a.localeCompare(b, 'en'));
  const set = (key: keyof FlowDraft) => (value: string) => onChange({ [key]: value });
  return (
    <div className="form">
      <Choice
        label="Who"
        value={draft.role}
        options={toOptions(charter.roles)}
        onChange={set('role')}
      />
      <Choice
        label="does"
        value={draft.action}
        options={toOptions(FLOW_WORDS.actions)}
        onChange={set('action')}
      />
      <Choice
        label="with data of class"
        value={draft.class}
        options={toOptions(FLOW_WORDS.classes)}
        onChange={set('class')}
      />
      <Choice
        label="and category"
        value={draft.category}
        options={toOptions(charter.categories)}
        onChange={set('category')}
      />
      <Choice
        label="collected in"
        value={draft.origin}
        options={countries}
        onChange={set('origin')}
      />
      <Choice
        label="in the form"
        value={draft.form}
        options={toOptions(FLOW_WORDS.forms)}
        onChange={set('form')}
      />
      <Choice
        label="to"
        value={draft.to}
        options={cells.map(({ cell, location }) => [cell, `${cell} (${location})`] as const)}
        onChange={set('to')}
      />
      <Choice
        label="for"
        value={draft.purpose}
        options={toOptions(charter.purposes)}
        onChange={set('purpose')}
      />
      <Choice
        label="under"
        value={draft.mechanism}
        empty="no mechanism"
        options={toOptions(charter.mechanisms)}
        onChange={set('mechanism')}
      />
      <Choice
        label="with consent"
        value={draft.consent}
        options={toOptions(FLOW_WORDS.consents)}
        onChange={set('consent')}
      />
    </div>
  );
}

interface Past {
  readonly id: string;
  readonly body: EntryBody & { readonly flow: NonNullable<EntryBody['flow']> };
}

function toPast(page: EntrySearchPage): readonly Past[] {
  return page.items.flatMap((item) => {
    const body = toEntryBody(item);
    if (body?.flow === undefined || body.decision === undefined) return [];
    return [{ id: item.entry, body: { ...body, flow: body.flow } }];
  });
}

function PastDecisions({ past }: { readonly past: Resource<EntrySearchPage> }) {
  const [replayed, setReplayed] = useState<
    | { readonly id: string; readonly decision?: Decision; readonly problem?: ProblemDocument }
    | undefined
  >();
  const replay = ({ id, body: { flow, actor } }: Past): void => {
    if (actor === undefined) return;
    const { account: _account, ...who } = actor;
    ask({ ...flow, actor: who } as WireFlow).then(
      (decision) => setReplayed({ id, decision }),
      (error: unknown) => setReplayed({ id, problem: toProblem(error) }),
    );
  };
  return (
    <Card
      title="Ask again"
      hint="A past decision’s flow, at its own instant, under the charter in force now: the answer must be the same, or the law has changed in between."
    >
      <Shown of={past} lines={5}>
        {(page) => {
          const rows = toPast(page);
          if (rows.length === 0) return <Empty title="No decision is on record yet." />;
          const chosen = rows.find(({ id }) => id === replayed?.id);
          return (
            <div className="stack">
              <Table
                label="Past decisions"
                rows={rows}
                keyOf={({ id }) => id}
                columns={[
                  { name: 'When', show: ({ body }) => <Instant at={body.at} /> },
                  {
                    name: 'Flow',
                    show: ({ body: { flow } }) =>
                      `${flow.action} ${flow.data.categories.map(toWords).join(', ')} as ${toWords(flow.form)} to ${flow.to.id ?? flow.to.location} for ${toWords(flow.purpose)}`,
                  },
                  {
                    name: 'Answer',
                    show: ({ body }) => (
                      <Badge tone={body.decision?.outcome === 'allow' ? 'good' : 'warn'}>
                        {body.decision?.outcome === 'allow' ? 'allowed' : 'denied'}
                      </Badge>
                    ),
                  },
                  {
                    name: 'Again',
                    show: (row) => (
                      <button type="button" className="button small" onClick={() => replay(row)}>
                        Ask again
                      </button>
                    ),
                  },
                ]}
              />
              <div aria-live="polite" className="stack">
                {replayed?.problem === undefined ? null : <Failed problem={replayed.problem} />}
                {replayed?.decision === undefined || chosen === undefined ? null : (
                  <Replay past={chosen} decision={replayed.decision} />
                )}
              </div>
            </div>
          );
        }}
      </Shown>
    </Card>
  );
}

function Replay({ past, decision }: { readonly past: Past; readonly decision: Decision }) {
  const before = past.body.decision;
  const isSameLaw = before?.charter === decision.charter.hash;
  const isSame =
    before?.outcome === decision.outcome &&
    [...before.rules].sort().join() === [...decision.rules].sort().join();
  return (
    <>
      <Note
        tone={isSame ? 'good' : isSameLaw ? 'warn' : 'plain'}
        title={isSame ? 'The same answer, by the same rules.' : 'Another answer than then.'}
      >
        <p>
          {isSameLaw
            ? 'The charter is the same as then.'
            : 'The charter has changed since; the old one is on record by its hash.'}
          {isSame || !isSameLaw
            ? ''
            : ' What else counts then and now differs: freshness of the law, terms, orders, a person’s standing.'}
        </p>
      </Note>
      <Answer decision={decision} />
    </>
  );
}
