// SPDX-License-Identifier: Apache-2.0
// A decision as a person reads it: the word, why, on what it rests, what would be allowed instead.
import type { Decision } from '../api/types.ts';
import { Badge, Hash } from '../parts/parts.tsx';
import { toWords } from '../parts/words.ts';

const CAUSES: Readonly<Record<string, string>> = {
  forbidden: 'A rule forbids it, and what forbids wins.',
  'no-rule': 'No rule allows it, and what no rule allows is denied.',
  'unknown-value': 'Something in it is unknown to the charter.',
  'obligation-unfulfillable': 'It would be allowed under a condition that this cell cannot fulfil.',
  'charter-stale': 'This cell has not heard of the law for too long: borders are closed.',
  'terms-narrower': 'Your contract terms are narrower than the charter.',
};

const KEYS: readonly string[] = ['form', 'mechanism', 'consent', 'purpose', 'role', 'action'];

export function Answer({
  decision,
  onTake,
}: {
  readonly decision: Decision;
  readonly onTake?: (change: Readonly<Record<string, string>>) => void;
}) {
  const { outcome, cause, reasons, obligations, nearest, charter } = decision;
  const isAllowed = outcome === 'allow';
  return (
    <div className="answer">
      <p className="row">
        <span className={`answer-word ${outcome}`}>{isAllowed ? 'Allowed' : 'Denied'}</span>
      </p>
      {cause === undefined ? null : <p>{CAUSES[cause] ?? toWords(cause)}</p>}
      {obligations.length === 0 ? null : (
        <p>
          Under conditions:{' '}
          {obligations.map(({ kind, minimumCount, categories }) => (
            <Badge key={`${kind} ${categories?.join() ?? ''}`}>
              {toWords(kind)}
              {minimumCount === undefined ? '' : `, groups of at least ${minimumCount}`}
              {categories === undefined ? '' : `: ${categories.map(toWords).join(', ')}`}
            </Badge>
          ))}
        </p>
      )}
      <div>
        {reasons.map(({ rule, because, source }) => (
          <div className="rule" key={rule}>
            <p>{because}</p>
            <cite>
              {rule} · {source}
            </cite>
          </div>
        ))}
      </div>
      {nearest.length === 0 ? null : (
        <div className="stack">
          <h3>What would be allowed</h3>
          <ul className="list">
            {nearest.map(({ words, change }) => (
              <li className="row" key={words}>
                <span>{words.replaceAll('`', '')}</span>
                {onTake === undefined ||
                !Object.keys(change).every((key) => KEYS.includes(key)) ? null : (
                  <button type="button" className="button small" onClick={() => onTake(change)}>
                    Try it
                  </button>
                )}
              </li>
            ))}
          </ul>
        </div>
      )}
      <p className="muted small">
        Charter serial {charter.serial}, <Hash of={charter.hash} />
      </p>
    </div>
  );
}
