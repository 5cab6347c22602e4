// SPDX-License-Identifier: Apache-2.0
// Who watches this cell's ledger, and what this cell saw of others. Cosignatures are verified here under the
// keys that the cell states; a reader with a policy of their own checks against that.
import { get, getText, Problem } from '../api/client.ts';
import type { Cells, StatusAnswer } from '../api/types.ts';
import { useResource } from '../api/use-resource.ts';
import { Badge, Card, Empty, Instant, Note, Shown, Table } from '../parts/parts.tsx';
import { toCount } from '../parts/words.ts';
import type { CheckpointView } from '../verifier/verifier.ts';

interface Seen {
  readonly own: CheckpointView | undefined;
  readonly others: readonly CheckpointView[];
}

/** Nothing where there is nothing yet. */
async function findText(path: string): Promise<string | undefined> {
  try {
    return await getText(path);
  } catch (error) {
    if (error instanceof Problem && [404, 503].includes(error.document.status)) return undefined;
    throw error;
  }
}

async function look({ ledger, witnesses, cell }: StatusAnswer): Promise<Seen> {
  const { viewCheckpoint, toOriginHash } = await import('../verifier/verifier.ts');
  const { items } = await get<Cells>('/v1/cells');
  const own = await findText('/v1/ledger/cosigned-checkpoint');
  const keys = witnesses.cosigners.map(({ key }) => key);
  const notes = await Promise.all(
    items
      .filter((one) => one.cell !== cell)
      .map(async (one) => {
        const hash = await toOriginHash(`${one.cell}/ledger/1`);
        return findText(`/v1/witness/${hash}/checkpoint`);
      }),
  );
  return {
    own: own === undefined ? undefined : viewCheckpoint(own, { log: ledger.key, witnesses: keys }),
    others: notes.flatMap((note) =>
      note === undefined ? [] : [viewCheckpoint(note, { log: undefined, witnesses: [] })],
    ),
  };
}

const LOOK_MS = 10_000;

export function WitnessView({ status }: { readonly status: StatusAnswer }) {
  const seen = useResource('witnesses', () => look(status), { everyMs: LOOK_MS });
  return (
    <div className="columns">
      <Card
        title="Who watches this ledger"
        hint="Each signs only what continues what it signed before. Keys are as this cell states them: compare them with your own policy."
      >
        <Shown of={seen}>{({ own }) => <Own own={own} />}</Shown>
      </Card>
      <Card title="What this cell saw of others" hint="The newest checkpoints that it cosigned.">
        <Shown of={seen}>{({ others }) => <Others others={others} />}</Shown>
      </Card>
    </div>
  );
}

function Own({ own }: { readonly own: CheckpointView | undefined }) {
  if (own === undefined) {
    return (
      <Empty title="Nobody has cosigned yet.">
        <p>Configure witnesses, or run one yourself with `bailiwick witness`.</p>
      </Empty>
    );
  }
  return (
    <div className="stack">
      {own.problem === undefined ? null : (
        <Note tone="bad" title="The cosigned checkpoint does not verify.">
          <p>{own.problem}</p>
        </Note>
      )}
      <Table
        label="Signatures on the newest cosigned checkpoint"
        rows={own.signatures}
        keyOf={({ name }) => name}
        columns={[
          { name: 'Signer', show: ({ name }) => name },
          {
            name: 'At',
            show: ({ at }) =>
              at === undefined ? <span className="muted">–</span> : <Instant at={at} />,
          },
          {
            name: 'Signature',
            show: ({ isVerified }) => (
              <Badge tone={isVerified ? 'good' : 'plain'}>
                {isVerified ? 'verified' : 'key unknown'}
              </Badge>
            ),
          },
        ]}
      />
      <p className="muted small">
        {toCount(own.size)} entries, root <span className="mono hash">{own.root}</span>
      </p>
    </div>
  );
}

function Others({ others }: { readonly others: readonly CheckpointView[] }) {
  if (others.length === 0) return <Empty title="This cell has cosigned nothing yet." />;
  return (
    <Table
      label="Checkpoints of other cells"
      rows={others}
      keyOf={({ origin }) => origin}
      columns={[
        { name: 'Ledger', show: ({ origin }) => origin },
        { name: 'Entries', isNumber: true, show: ({ size }) => toCount(size) },
        {
          name: 'Root',
          show: ({ root }) => (
            <span className="mono" title={root}>
              {root.slice(0, 10)}…
            </span>
          ),
        },
      ]}
    />
  );
}
