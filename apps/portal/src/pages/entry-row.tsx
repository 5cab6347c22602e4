// SPDX-License-Identifier: Apache-2.0
// One entry: what happened in a line, and on demand the proof step by step and the text itself.
import { useId, useState } from 'react';
import { getText } from '../api/client.ts';
import { type EntryAnswer, type EntryBody, toEntryBody } from '../api/types.ts';
import { Badge, Hash, Instant } from '../parts/parts.tsx';
import { toCounted, toRole, toTitle, toWords } from '../parts/words.ts';
import type { EntryVerdict } from '../verifier/verifier.ts';
import { StepRow } from './key-change.tsx';

/** What an entry tells, in words. */
export function toDeed({ kind, flow, records, facts, actor }: EntryBody): string {
  const who = actor === undefined ? 'The cell' : toRole(actor.role);
  const many = records === undefined ? '' : ` · ${toCounted(records.count, 'record')}`;
  if (flow !== undefined) {
    const to = flow.to.id ?? flow.to.location;
    const what = flow.data.categories.map(toWords).join(', ');
    return `${who}: ${flow.action} ${what} for ${toWords(flow.purpose)}, to ${to}${many}`;
  }
  if (kind === 'key') {
    const words = [facts?.['to'], facts?.['step']].filter((word) => typeof word === 'string');
    return `${who}: customer key ${words.join(', ')}`;
  }
  const change = facts?.['change'] ?? facts?.['step'] ?? facts?.['code'];
  const word = typeof change === 'string' && change.length < 40 ? ` · ${toWords(change)}` : '';
  const to = typeof facts?.['to'] === 'string' ? ` · to ${toWords(facts['to'])}` : '';
  return `${who}: ${toWords(kind)}${word}${to}${many}`;
}

function Proof({ verdict }: { readonly verdict: EntryVerdict | undefined }) {
  switch (verdict?.verdict) {
    case 'proved':
      return <Badge tone="good">proved</Badge>;
    case 'broken':
      return <Badge tone="bad">not proved</Badge>;
    case 'waiting':
      return <Badge>soon</Badge>;
    default:
      return <Badge>checking</Badge>;
  }
}

export function EntryRow({
  item,
  verdict,
}: {
  readonly item: EntryAnswer;
  readonly verdict: EntryVerdict | undefined;
}) {
  const [isOpen, setIsOpen] = useState(false);
  const id = useId();
  const body = toEntryBody(item);
  return (
    <>
      <button
        type="button"
        className="entry"
        aria-expanded={isOpen}
        aria-controls={id}
        onClick={() => setIsOpen(!isOpen)}
      >
        {body === undefined ? (
          <span className="muted">past its term</span>
        ) : (
          <Instant at={body.at} />
        )}
        <span>
          {body === undefined ? `Entry ${item.index ?? ''}` : toDeed(body)}
          {body?.decision?.outcome === 'deny' ? (
            <>
              {' '}
              <Badge tone="warn">denied</Badge>
            </>
          ) : null}
        </span>
        <Proof verdict={verdict} />
      </button>
      <div id={id} hidden={!isOpen} className="entry-more">
        {isOpen ? <More item={item} verdict={verdict} kind={body?.kind ?? ''} /> : null}
      </div>
    </>
  );
}

function More({
  item,
  verdict,
  kind,
}: {
  readonly item: EntryAnswer;
  readonly verdict: EntryVerdict | undefined;
  readonly kind: string;
}) {
  const download = async (): Promise<void> => {
    const text = await getText(`/v1/entries/${item.entry}/proof`);
    const url = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
    const link = document.createElement('a');
    link.href = url;
    link.download = `${item.entry}.tlog-proof`;
    link.click();
    URL.revokeObjectURL(url);
  };
  return (
    <>
      <ol className="steps" aria-label="The proof, step by step">
        {(verdict?.steps ?? []).map(({ words, state, detail }) => (
          <StepRow key={words} state={state}>
            {words}
            {detail === undefined ? null : <span className="muted"> · {detail}</span>}
          </StepRow>
        ))}
      </ol>
      <div className="row">
        <span className="muted small">
          {toTitle(kind)} · entry <Hash of={item.entry} isWhole />
        </span>
        <button type="button" className="button small" onClick={() => void download()}>
          Download the proof
        </button>
      </div>
      <section aria-label="The entry’s own text">
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard */}
        <pre tabIndex={0}>{JSON.stringify(item.body ?? {}, null, 2)}</pre>
      </section>
    </>
  );
}
