// SPDX-License-Identifier: Apache-2.0
// What pages are made of.
import { type ReactNode, useEffect, useId, useRef } from 'react';
import type { ProblemDocument } from '../api/client.ts';
import type { Resource } from '../api/use-resource.ts';
import { Icon, type IconName } from './icons.tsx';
import { toInstant, toSentence, toShort } from './words.ts';

export type Tone = 'plain' | 'good' | 'warn' | 'bad';

/** The head of a page: its name, what it is for, and what stands behind it. */
export function PageHead({
  title,
  lead,
  children,
}: {
  readonly title: string;
  readonly lead: string;
  readonly children?: ReactNode;
}) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Bailiwick`;
  }, [title]);
  return (
    <header className="head">
      <div className="head-row">
        <h1 ref={heading} tabIndex={-1} id="page-title">
          {title}
        </h1>
        {children}
      </div>
      <p className="lead">{lead}</p>
    </header>
  );
}

/** The commands and calls behind a page: everything here can be had without it. */
export function Behind({
  commands,
  calls,
}: {
  readonly commands: readonly string[];
  readonly calls: readonly string[];
}) {
  return (
    <details className="behind">
      <summary>Behind this page: commands and calls</summary>
      <div className="behind-body">
        <div>
          <h3>On a command line</h3>
          <pre>{commands.join('\n')}</pre>
        </div>
        <div>
          <h3>Over HTTP</h3>
          <pre>{calls.join('\n')}</pre>
        </div>
      </div>
    </details>
  );
}

export function Card({
  title,
  hint,
  aside,
  children,
}: {
  readonly title: string;
  readonly hint?: string;
  readonly aside?: ReactNode;
  readonly children: ReactNode;
}) {
  const id = useId();
  return (
    <section className="card" aria-labelledby={id}>
      <div className="card-head">
        <h2 id={id}>{title}</h2>
        {aside}
        {hint === undefined ? null : <p>{hint}</p>}
      </div>
      <div className="card-body">{children}</div>
    </section>
  );
}

export function Stats({
  items,
}: {
  readonly items: readonly {
    readonly name: string;
    readonly value: ReactNode;
    readonly hint?: string;
  }[];
}) {
  return (
    <dl className="stats">
      {items.map(({ name, value, hint }) => (
        <div className="stat" key={name}>
          <dt>{name}</dt>
          <dd>
            {value}
            {hint === undefined ? null : <small>{hint}</small>}
          </dd>
        </div>
      ))}
    </dl>
  );
}

const BADGE_ICONS: Readonly<Record<Tone, IconName | undefined>> = {
  plain: undefined,
  good: 'check',
  warn: 'warn',
  bad: 'cross',
};

export function Badge({
  tone = 'plain',
  children,
}: {
  readonly tone?: Tone;
  readonly children: ReactNode;
}) {
  const icon = BADGE_ICONS[tone];
  return (
    <span className={`badge ${tone}`}>
      {icon === undefined ? null : <Icon name={icon} size={13} />}
      {children}
    </span>
  );
}

export function Note({
  tone = 'plain',
  title,
  children,
  actions,
}: {
  readonly tone?: Tone;
  readonly title: string;
  readonly children?: ReactNode;
  readonly actions?: ReactNode;
}) {
  const icon = tone === 'good' ? 'check' : tone === 'plain' ? 'info' : 'warn';
  return (
    <div className={`note ${tone}`} role={tone === 'bad' ? 'alert' : undefined}>
      <Icon name={icon} />
      <div>
        <strong>{title}</strong>
        <div>{children}</div>
        {actions === undefined ? null : <div className="note-actions row">{actions}</div>}
      </div>
    </div>
  );
}

export function Failed({
  problem,
  onRetry,
}: {
  readonly problem: ProblemDocument;
  readonly onRetry?: () => void;
}) {
  return (
    <Note
      tone={problem.status === 403 ? 'plain' : 'bad'}
      title={toSentence(problem.code, problem.title)}
      actions={
        onRetry === undefined || problem.status === 403 ? undefined : (
          <button type="button" className="button small" onClick={onRetry}>
            Try again
          </button>
        )
      }
    >
      {problem.detail === undefined || problem.detail === '' ? null : <p>{problem.detail}</p>}
      <p className="small muted mono">{problem.code}</p>
    </Note>
  );
}

export function Skeleton({ lines = 3 }: { readonly lines?: number }) {
  const names = Array.from({ length: lines }, (_, index) => `line-${index}`);
  return (
    <div className="skeleton" role="status">
      {names.map((name) => (
        <span key={name} />
      ))}
      <p className="unseen">Loading</p>
    </div>
  );
}

/** What stands in a page's place until all that it shows is there: then nothing on it jumps. */
function PageSkeleton() {
  return (
    <div className="page-skeleton" role="status">
      <span className="strip" />
      <span className="block" />
      <span className="block small" />
      <p className="unseen">Loading</p>
    </div>
  );
}

/** A page's parts, shown together once each of these is there or known not to be had. */
export function Whole({
  of,
  children,
}: {
  readonly of: readonly Pick<Resource<unknown>, 'value' | 'problem'>[];
  readonly children: ReactNode;
}) {
  const isReady = of.every(({ value, problem }) => value !== undefined || problem !== undefined);
  return isReady ? children : <PageSkeleton />;
}

/** A resource in each of its states. What was shown stays while it is read again. */
export function Shown<T>({
  of,
  lines = 3,
  children,
}: {
  readonly of: Resource<T>;
  readonly lines?: number;
  readonly children: (value: T) => ReactNode;
}) {
  if (of.problem !== undefined) return <Failed problem={of.problem} onRetry={of.reload} />;
  if (of.value === undefined) return <Skeleton lines={lines} />;
  return children(of.value);
}

export function Empty({
  title,
  children,
}: {
  readonly title: string;
  readonly children?: ReactNode;
}) {
  return (
    <div className="empty">
      <strong>{title}</strong>
      {children}
    </div>
  );
}

export function Instant({ at }: { readonly at: string }) {
  return (
    <time dateTime={at} title={at}>
      {toInstant(at)}
    </time>
  );
}

/** An id or hash: short to look at, whole to copy and to hear. */
export function Hash({ of, isWhole = false }: { readonly of: string; readonly isWhole?: boolean }) {
  return (
    <span className="mono hash" title={of}>
      {isWhole ? of : toShort(of)}
    </span>
  );
}

export interface Column<T> {
  readonly name: string;
  readonly isNumber?: boolean;
  readonly show: (row: T) => ReactNode;
}

/** Rows under names; on a phone each row stands by itself. */
export function Table<T>({
  label,
  columns,
  rows,
  keyOf,
}: {
  readonly label: string;
  readonly columns: readonly Column<T>[];
  readonly rows: readonly T[];
  readonly keyOf: (row: T) => string;
}) {
  return (
    <div className="table-wrap">
      <table className="table-stack">
        <caption className="unseen">{label}</caption>
        <thead>
          <tr>
            {columns.map(({ name, isNumber }) => (
              <th key={name} scope="col" className={isNumber === true ? 'end' : undefined}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)}>
              {columns.map(({ name, isNumber, show }) => (
                <td
                  key={name}
                  data-label={name}
                  className={isNumber === true ? 'end number' : undefined}
                >
                  <div>{show(row)}</div>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Pairs({
  items,
}: {
  readonly items: readonly (readonly [name: string, value: ReactNode])[];
}) {
  return (
    <dl className="pairs">
      {items.map(([name, value]) => (
        <PairRow key={name} name={name} value={value} />
      ))}
    </dl>
  );
}

function PairRow({ name, value }: { readonly name: string; readonly value: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  );
}

/** A choice among names of the charter. */
export function Choice({
  label,
  value,
  options,
  onChange,
  empty,
}: {
  readonly label: string;
  readonly value: string;
  readonly options: readonly (readonly [value: string, words: string])[];
  readonly onChange: (value: string) => void;
  readonly empty?: string;
}) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => onChange(event.target.value)}>
        {empty === undefined ? null : <option value="">{empty}</option>}
        {options.map(([name, words]) => (
          <option key={name} value={name}>
            {words}
          </option>
        ))}
      </select>
    </div>
  );
}

/** Asks before something that has consequences. Escape and the first button change nothing. */
export function Ask({
  title,
  action,
  tone = 'danger',
  onAnswer,
  children,
}: {
  readonly title: string;
  readonly action: string;
  readonly tone?: 'danger' | 'primary';
  readonly onAnswer: (isYes: boolean) => void;
  readonly children: ReactNode;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onAnswer(false);
      }}
    >
      <div className="dialog-body">
        <h2 id={id}>{title}</h2>
        {children}
        <div className="dialog-actions">
          <button type="button" className="button" onClick={() => onAnswer(false)}>
            Change nothing
          </button>
          <button type="button" className={`button ${tone}`} onClick={() => onAnswer(true)}>
            {action}
          </button>
        </div>
      </div>
    </dialog>
  );
}
