// SPDX-License-Identifier: Apache-2.0
// Access: what the ledger says was done, each entry proved in the reader's own browser, and who watches
// that it only grows.
import { type ReactNode, useEffect, useRef, useState } from 'react';
import { get, post, toProblem } from '../api/client.ts';
import type { EntryAnswer, EntrySearchPage, StatusAnswer } from '../api/types.ts';
import { useResource } from '../api/use-resource.ts';
import type { PageProps } from '../page-props.ts';
import {
  Behind,
  Card,
  Choice,
  Empty,
  Failed,
  Hash,
  Note,
  PageHead,
  Shown,
  Skeleton,
  Whole,
} from '../parts/parts.tsx';
import { toCount, toCounted, toDay, toTitle } from '../parts/words.ts';
import type { EntryVerdict, TrustedLog } from '../verifier/verifier.ts';
import { EntryRow } from './entry-row.tsx';
import { WitnessView } from './witness-view.tsx';

const PAGE_SIZE = 25;
const KINDS = [
  'read',
  'write',
  'delete',
  'decision',
  'transfer',
  'delivery',
  'key',
  'erasure',
  'account',
  'refusal',
  'tenant',
  'seal',
  'open',
] as const;

interface Filter {
  readonly kind: string;
  readonly outcome: string;
}

const search = ({ kind, outcome }: Filter, pageToken?: string): Promise<EntrySearchPage> =>
  post<EntrySearchPage>('/v1/entries/searches', {
    proofs: true,
    pageSize: PAGE_SIZE,
    ...(kind === '' ? {} : { kinds: [kind] }),
    ...(outcome === '' ? {} : { outcome }),
    ...(pageToken === undefined ? {} : { pageToken }),
  });

export function AccessPage({ session }: PageProps) {
  const status = useResource('status', () => get<StatusAnswer>('/v1/status'));
  return (
    <>
      <PageHead
        title="Access"
        lead="Who did what with your data, for which purpose, as the ledger has it. Your browser checks each entry itself: that its text is what the log committed to, and that the log’s signature covers it."
      />
      <Whole of={[status]}>
        <Shown of={status} lines={2}>
          {(value) => (
            <Entries status={value}>
              <WitnessView status={value} />
            </Entries>
          )}
        </Shown>
        <Behind
          commands={[
            `bailiwick ledger tail ${session.residency}`,
            `bailiwick ledger search ${session.residency} --kind read`,
            `bailiwick ledger export ${session.residency} --output export && bailiwick ledger verify export`,
          ]}
          calls={[
            'POST /v1/entries/searches',
            'GET /v1/entries/{entryId}/proof',
            'GET /v1/ledger/cosigned-checkpoint',
            'GET /v1/witness/{originHash}/checkpoint',
          ]}
        />
      </Whole>
    </>
  );
}

function Entries({
  status,
  children,
}: {
  readonly status: StatusAnswer;
  readonly children: ReactNode;
}) {
  const [filter, setFilter] = useState<Filter>({ kind: '', outcome: '' });
  const [more, setMore] = useState<readonly EntrySearchPage[]>([]);
  const first = useResource(`entries ${filter.kind} ${filter.outcome}`, () => {
    setMore([]);
    return search(filter);
  });
  const pages = first.value === undefined ? [] : [first.value, ...more];
  const items = pages.flatMap((page) => page.items);
  const token = pages.at(-1)?.nextPageToken;
  const { log, verdicts } = useVerdicts(items, status.ledger);
  const readOn = (): void => {
    if (token === undefined) return;
    search(filter, token).then(
      (page) => setMore((before) => [...before, page]),
      () => first.reload(),
    );
  };
  // The first time, the page comes as a whole; when a filter changes, only the list does.
  const wasShown = useRef(false);
  wasShown.current ||= first.value !== undefined || first.problem !== undefined;
  return (
    <Whole of={wasShown.current ? [] : [first]}>
      <Verdict items={items} verdicts={verdicts} log={log} size={first.value?.size ?? 0} />
      <Card
        title="Entries"
        hint="Your organisation’s own, newest first. A person stands here as a pseudonym."
      >
        <div className="stack">
          <div className="form">
            <Choice
              label="Kind"
              value={filter.kind}
              empty="Every kind"
              options={KINDS.map((kind) => [kind, toTitle(kind)] as const)}
              onChange={(kind) => setFilter({ ...filter, kind })}
            />
            <Choice
              label="Decision"
              value={filter.outcome}
              empty="Allowed or denied"
              options={[
                ['allow', 'Allowed'],
                ['deny', 'Denied'],
              ]}
              onChange={(outcome) => setFilter({ ...filter, outcome })}
            />
          </div>
          {first.problem === undefined ? null : (
            <Failed problem={first.problem} onRetry={first.reload} />
          )}
          {first.value === undefined && first.problem === undefined ? <Skeleton lines={8} /> : null}
          {first.value !== undefined && items.length === 0 ? (
            <Empty title="No entry is like that.">
              <p>Choose every kind to see all of them.</p>
            </Empty>
          ) : null}
          <div>
            {items.map((item) => (
              <EntryRow key={item.entry} item={item} verdict={verdicts.get(item.entry)} />
            ))}
          </div>
          {token === undefined ? null : (
            <div>
              <button type="button" className="button" onClick={readOn}>
                Older entries
              </button>
            </div>
          )}
        </div>
      </Card>
      {children}
    </Whole>
  );
}

interface Verdicts {
  readonly log: TrustedLog | undefined;
  readonly verdicts: ReadonlyMap<string, EntryVerdict>;
}

/** Verifies what is shown, off the first paint: the verifier is loaded when there is something to verify. */
function useVerdicts(
  items: readonly EntryAnswer[],
  { origin, key }: StatusAnswer['ledger'],
): Verdicts {
  const [found, setFound] = useState<Verdicts>({ log: undefined, verdicts: new Map() });
  const name = items.map(({ entry }) => entry).join(' ');
  // biome-ignore lint/correctness/useExhaustiveDependencies: the name stands for the items
  useEffect(() => {
    if (items.length === 0) return undefined;
    let isWanted = true;
    import('../verifier/verifier.ts').then(
      ({ trustLog, verifyEntry }) => {
        if (!isWanted) return;
        const log = trustLog(origin, key);
        const verdicts = new Map(items.map((item) => [item.entry, verifyEntry(item, log)]));
        setFound({ log, verdicts });
      },
      (error: unknown) => console.error(toProblem(error).detail),
    );
    return () => {
      isWanted = false;
    };
  }, [name, origin, key]);
  return found;
}

function Verdict({
  items,
  verdicts,
  log,
  size,
}: Verdicts & { readonly items: readonly EntryAnswer[]; readonly size: number }) {
  const [isTaken, setIsTaken] = useState(false);
  if (items.length === 0) return null;
  const all = items.map(({ entry }) => verdicts.get(entry)?.verdict);
  const countOf = (verdict: string): number => all.filter((one) => one === verdict).length;
  const broken = items.find(({ entry }) => verdicts.get(entry)?.verdict === 'broken');
  if (log !== undefined && !log.isSame) {
    return (
      <Note
        tone="bad"
        title="The cell states another log key than the one this browser remembers."
        actions={
          <button
            type="button"
            className="button small"
            disabled={isTaken}
            onClick={() => {
              void import('../verifier/verifier.ts').then(({ rememberLog }) => {
                rememberLog(log.key.name, log.text);
                setIsTaken(true);
              });
            }}
          >
            Keep the remembered key
          </button>
        }
      >
        <p>
          Remembered since {toDay(log.rememberedAt)}. Ask your auditor or your operator, over
          another channel, which one is right. Until then nothing here counts as proved.
        </p>
      </Note>
    );
  }
  if (broken !== undefined) {
    return (
      <Note tone="bad" title="This ledger has been tampered with.">
        <p>
          {toCounted(countOf('broken'), 'entry', 'entries')} of {toCount(items.length)} shown here
          do not lead to what the log signed. The first is <Hash of={broken.entry} />. Keep this
          page, export the ledger and call your auditor.
        </p>
      </Note>
    );
  }
  if (verdicts.size === 0) {
    return (
      <Note title={`Checking ${toCounted(items.length, 'entry', 'entries')} in your browser`}>
        <p>Text, path and signature of each.</p>
      </Note>
    );
  }
  const waiting = countOf('waiting');
  return (
    <Note
      tone="good"
      title={`${toCount(countOf('proved'))} of ${toCounted(items.length, 'entry', 'entries')} proved in your browser`}
    >
      <p>
        Against a log of {toCounted(size, 'entry', 'entries')}, signed with the key that this
        browser has known since {log === undefined ? 'now' : toDay(log.rememberedAt)}.
        {waiting === 0 ? '' : ` ${toCount(waiting)} wait for the next checkpoint.`}
      </p>
    </Note>
  );
}
