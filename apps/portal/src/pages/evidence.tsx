// SPDX-License-Identifier: Apache-2.0
// Evidence: what a stranger can check, and how to take it along.
import { useState } from 'react';
import { type ProblemDocument, post, toProblem } from '../api/client.ts';
import type { LedgerCheckAnswer } from '../api/types.ts';
import type { PageProps } from '../page-props.ts';
import {
  Badge,
  Behind,
  Card,
  Failed,
  Hash,
  Note,
  PageHead,
  Pairs,
  Table,
} from '../parts/parts.tsx';
import { toCount, toCounted, toTitle } from '../parts/words.ts';

interface Evidence {
  readonly statement: string;
  readonly entry: string;
  readonly charter: string;
  readonly receipts: string;
}

interface Done<T> {
  readonly value?: T;
  readonly problem?: ProblemDocument;
  readonly isRunning: boolean;
}

/** One thing that is done on demand. */
function useTask<T>(run: () => Promise<T>): readonly [Done<T>, () => void] {
  const [done, setDone] = useState<Done<T>>({ isRunning: false });
  const start = (): void => {
    setDone({ isRunning: true });
    run().then(
      (value) => setDone({ value, isRunning: false }),
      (error: unknown) => setDone({ problem: toProblem(error), isRunning: false }),
    );
  };
  return [done, start];
}

export function EvidencePage({ session }: PageProps) {
  const [check, startCheck] = useTask(() => post<LedgerCheckAnswer>('/v1/ledger/checks'));
  const [evidence, startEvidence] = useTask(() => post<Evidence>('/v1/evidence-statements'));
  const { residency } = session;
  return (
    <>
      <PageHead
        title="Evidence"
        lead="What you can hand to somebody who does not trust us, nor you. It verifies offline, with nothing but the files and the verifier."
      />
      <div className="columns">
        <Card
          title="Hold the records against the ledger"
          hint="Every stored row must be the last that the ledger tells of: nothing changed, put back or missing."
        >
          <div className="stack">
            <div>
              <button
                type="button"
                className="button primary"
                disabled={check.isRunning}
                onClick={startCheck}
              >
                {check.isRunning ? 'Checking every row…' : 'Check now'}
              </button>
            </div>
            <div aria-live="polite">
              {check.problem === undefined ? null : <Failed problem={check.problem} />}
              {check.value === undefined ? null : <CheckResult value={check.value} />}
            </div>
          </div>
        </Card>
        <Card
          title="Put evidence on record"
          hint="The cell states how far its log goes, which entries are yours, which charter is in force and which receipts there are; the statement itself becomes an entry."
        >
          <div className="stack">
            <div>
              <button
                type="button"
                className="button primary"
                disabled={evidence.isRunning}
                onClick={startEvidence}
              >
                {evidence.isRunning ? 'Waiting for a signed checkpoint…' : 'State it now'}
              </button>
            </div>
            <div aria-live="polite">
              {evidence.problem === undefined ? null : <Failed problem={evidence.problem} />}
              {evidence.value === undefined ? null : <EvidenceParts value={evidence.value} />}
            </div>
          </div>
        </Card>
      </div>
      <Card title="Take it along">
        <Table
          label="Commands that make and check evidence"
          rows={toCommands(residency)}
          keyOf={({ command }) => command}
          columns={[
            { name: 'What', show: ({ what }) => what },
            { name: 'Command', show: ({ command }) => <code>{command}</code> },
          ]}
        />
      </Card>
      <Card title="What it proves, and what is only stated">
        <div className="columns">
          <div>
            <h3>
              <Badge tone="good">proved</Badge>
            </h3>
            <ul className="list dots">
              <li>What was entered was not changed, removed or reordered since it was cosigned.</li>
              <li>Which rules decided, under which charter, by its hash.</li>
              <li>That a record is as it was last written.</li>
            </ul>
          </div>
          <div>
            <h3>
              <Badge tone="warn">only stated</Badge>
            </h3>
            <ul className="list dots">
              <li>That everything was entered: no log can prove what it does not hold.</li>
              <li>Where the machine stands, beyond what its platform attests.</li>
              <li>That nobody copied the erasable store or a machine’s memory.</li>
            </ul>
          </div>
        </div>
      </Card>
      <Behind
        commands={toCommands(residency).map(({ command }) => command)}
        calls={['POST /v1/ledger/checks', 'POST /v1/evidence-statements', 'GET /v1/ledger/bodies']}
      />
    </>
  );
}

function toCommands(
  residency: string,
): readonly { readonly what: string; readonly command: string }[] {
  return [
    {
      what: 'One archive that proves itself',
      command: `bailiwick evidence create ${residency} --output pack.zip`,
    },
    { what: 'Check it anywhere, offline', command: 'bailiwick evidence verify pack.zip' },
    {
      what: 'The ledger as standard files',
      command: `bailiwick ledger export ${residency} --output export`,
    },
    { what: 'Check those', command: 'bailiwick ledger verify export' },
    {
      what: 'Be a witness yourself',
      command: 'bailiwick witness init witness --name you.example/w1',
    },
  ];
}

function CheckResult({ value }: { readonly value: LedgerCheckAnswer }) {
  const { rowsCount, entriesCount, problemsCount, problems } = value;
  if (problemsCount === 0) {
    return (
      <Note tone="good" title={`${toCounted(rowsCount, 'row')} are what the ledger says.`}>
        <p>Held against {toCounted(entriesCount, 'entry', 'entries')} of writes.</p>
      </Note>
    );
  }
  return (
    <div className="stack">
      <Note
        tone="bad"
        title={`${toCounted(problemsCount, 'row')} of ${toCount(rowsCount)} are not.`}
      >
        <p>Somebody changed the database past the cell. Keep it as it is and call your auditor.</p>
      </Note>
      <Table
        label="Rows that differ from the ledger"
        rows={problems.slice(0, 20)}
        keyOf={({ record = '', entry = '', problem }) => `${record} ${entry} ${problem}`}
        columns={[
          { name: 'What', show: ({ problem }) => <Badge tone="bad">{toTitle(problem)}</Badge> },
          {
            name: 'Record',
            show: ({ record }) => (record === undefined ? '–' : <Hash of={record} />),
          },
          { name: 'Entry', show: ({ entry }) => (entry === undefined ? '–' : <Hash of={entry} />) },
        ]}
      />
    </div>
  );
}

function save(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}

function EvidenceParts({ value }: { readonly value: Evidence }) {
  const files = [
    ['statement.json', value.statement],
    ['charter.yaml', value.charter],
    ['receipts.jsonl', value.receipts],
  ] as const;
  return (
    <div className="stack">
      <Note tone="good" title="On record, under a signed checkpoint.">
        <p>
          Entry <Hash of={value.entry} />
        </p>
      </Note>
      <Pairs
        items={files.map(([name, text]) => [
          name,
          <button
            key={name}
            type="button"
            className="button small"
            onClick={() => save(name, text)}
          >
            Download
          </button>,
        ])}
      />
    </div>
  );
}
