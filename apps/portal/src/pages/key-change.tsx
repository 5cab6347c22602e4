// SPDX-License-Identifier: Apache-2.0
// A change of a key as it happened: asked, accepted, each process's signed word, effective, on record. The
// signatures are verified here.
import { useEffect, useState } from 'react';
import type { KeyChange } from '../api/types.ts';
import { Icon } from '../parts/icons.tsx';
import { Hash, Instant } from '../parts/parts.tsx';
import type { ReceiptView } from '../verifier/verifier.ts';

const RECEIPTS: Readonly<Record<string, string>> = {
  'keys-dropped': 'dropped the keys and signed for it',
  'lease-expired': 'did not answer; its lease ran out',
  'process-ended': 'had ended',
};

async function viewAll(change: KeyChange): Promise<readonly ReceiptView[]> {
  const { viewReceipt } = await import('../verifier/verifier.ts');
  return change.receipts.map(viewReceipt);
}

export function ChangeSteps({ change }: { readonly change: KeyChange }) {
  const { acceptedAt, effectiveAt, entries, state } = change;
  const tookMs =
    effectiveAt === undefined ? undefined : Date.parse(effectiveAt) - Date.parse(acceptedAt);
  return (
    <ol className="steps" aria-label={`How the key became ${state}`}>
      <StepRow state="done">
        Accepted and durable, <Instant at={acceptedAt} />
      </StepRow>
      <Receipts change={change} />
      {effectiveAt === undefined ? (
        <StepRow state="waiting">Not yet effective everywhere: look again in a moment</StepRow>
      ) : (
        <StepRow state="done">
          <strong>Effective everywhere</strong> after {tookMs} ms
        </StepRow>
      )}
      {entries.map((entry, at) => (
        <StepRow key={entry} state="done">
          On record: {at === 0 ? 'asked' : 'done'}, entry <Hash of={entry} />
        </StepRow>
      ))}
    </ol>
  );
}

function Receipts({ change }: { readonly change: KeyChange }) {
  const [views, setViews] = useState<readonly ReceiptView[] | undefined>();
  useEffect(() => {
    let isWanted = true;
    setViews(undefined);
    viewAll(change).then(
      (found) => isWanted && setViews(found),
      () => isWanted && setViews([]),
    );
    return () => {
      isWanted = false;
    };
  }, [change]);
  if (views === undefined) return <StepRow state="waiting">Verifying receipts</StepRow>;
  return views.map(({ kind, process, isSigned }) => (
    <StepRow key={process} state={isSigned ? 'done' : 'failed'}>
      Process <Hash of={process} /> {RECEIPTS[kind] ?? kind}
      <span className="muted">
        {isSigned ? ' · signature verified in your browser' : ' · its signature does not verify'}
      </span>
    </StepRow>
  ));
}

export function StepRow({
  state,
  children,
}: {
  readonly state: 'done' | 'failed' | 'waiting';
  readonly children: React.ReactNode;
}) {
  const icon = state === 'done' ? 'check' : state === 'failed' ? 'cross' : 'dot';
  return (
    <li className={state}>
      <Icon name={icon} />
      <span>
        <span className="unseen">
          {state === 'done' ? 'Done: ' : state === 'failed' ? 'Failed: ' : 'Waiting: '}
        </span>
        {children}
      </span>
    </li>
  );
}
