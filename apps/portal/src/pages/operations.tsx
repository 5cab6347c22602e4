// SPDX-License-Identifier: Apache-2.0
// Operations: how this cell stands, which law it holds to, how far its ledger is, who else there is.
import { get } from '../api/client.ts';
import type { Cells, StatusAnswer } from '../api/types.ts';
import { useResource } from '../api/use-resource.ts';
import type { PageProps } from '../page-props.ts';
import {
  Badge,
  Behind,
  Card,
  Hash,
  Instant,
  Note,
  PageHead,
  Pairs,
  Shown,
  Stats,
  Table,
  Whole,
} from '../parts/parts.tsx';
import { toCount, toCounted, toWords } from '../parts/words.ts';

const LOOK_MS = 5_000;

export function OperationsPage({ session }: PageProps) {
  const status = useResource('status', () => get<StatusAnswer>('/v1/status'), { everyMs: LOOK_MS });
  const cells = useResource('cells', () => get<Cells>('/v1/cells'));
  return (
    <>
      <PageHead
        title="Operations"
        lead={`How ${session.cell} stands: its law, its ledger, its witnesses, its work. Looked at again every few seconds.`}
      />
      <Whole of={[status, cells]}>
        <Shown of={status} lines={6}>
          {(value) => <Parts status={value} />}
        </Shown>
        <Card
          title="Cells"
          hint="As the newest bundle names them. Each shows its own state in its own portal."
        >
          <Shown of={cells}>
            {({ items }) => (
              <Table
                label="Cells"
                rows={items}
                keyOf={({ cell }) => cell}
                columns={[
                  { name: 'Cell', show: ({ cell }) => <strong>{cell}</strong> },
                  { name: 'Name', show: ({ name }) => <span className="mono">{name}</span> },
                  { name: 'Stands in', show: ({ location }) => location },
                  { name: 'Operator’s law', show: ({ operator }) => operator },
                  {
                    name: 'For you',
                    show: ({ isHome }) => (isHome ? <Badge tone="good">home</Badge> : '–'),
                  },
                ]}
              />
            )}
          </Shown>
        </Card>
        <Behind
          commands={['bailiwick status', 'bailiwick charter diff old.yaml new.yaml']}
          calls={['GET /v1/status', 'GET /v1/cells', 'GET /v1/charter', 'GET /v1/health']}
        />
      </Whole>
    </>
  );
}

function Parts({ status }: { readonly status: StatusAnswer }) {
  const { charter, ledger, witnesses, location, operator, transfers } = status;
  const waiting = (transfers['accepted'] ?? 0) + (transfers['prepared'] ?? 0);
  return (
    <>
      {charter.isFresh ? null : (
        <Note tone="warn" title="The law is stale: borders are closed.">
          <p>
            This cell has heard nothing from the control plane for longer than the charter allows.
            Local work goes on; flows that cross a border stop until it hears again.
          </p>
        </Note>
      )}
      <Stats
        items={[
          {
            name: 'Law',
            value: charter.isFresh ? 'fresh' : 'stale',
            hint: `serial ${charter.serial}`,
          },
          { name: 'Ledger', value: toCount(ledger.size), hint: 'entries' },
          {
            name: 'Witnesses',
            value: toCount(witnesses.cosigners.length),
            hint: `${witnesses.quorum} must sign`,
          },
          { name: 'Transfers waiting', value: toCount(waiting) },
        ]}
      />
      <div className="columns">
        <Card title="This cell">
          <Pairs
            items={[
              ['Cell', <strong key="cell">{status.cell}</strong>],
              ['Version', status.version],
              ['Running since', <Instant key="since" at={status.startedAt} />],
              ['Stands in', `${location.jurisdiction} (${toWords(location.observedBy)})`],
              ['Operator', `${operator.name}, under the law of ${operator.jurisdiction}`],
            ]}
          />
        </Card>
        <Card title="The law it holds to">
          <Pairs
            items={[
              ['Charter', charter.title ?? charter.name],
              ['Hash', <Hash key="hash" of={charter.hash} />],
              ['Rules', toCounted(charter.rulesCount, 'rule')],
              ['World’s law of', charter.atlasDate],
              ['Fresh for', `${charter.freshForMs / 1000} s after the last word`],
              ['Bundle', `serial ${status.bundleSerial}`],
            ]}
          />
        </Card>
      </div>
      <Card title="Its ledger">
        <Pairs
          items={[
            [
              'Origin',
              <span className="mono" key="origin">
                {ledger.origin}
              </span>,
            ],
            ['Key, as stated', <Hash key="key" of={ledger.key} isWhole />],
            [
              'Cosigned by',
              <ul className="list" key="by">
                {witnesses.cosigners.map(({ key, kind }) => (
                  <li key={key}>
                    {key.split('+')[0]} <Badge>{kind}</Badge>
                  </li>
                ))}
              </ul>,
            ],
          ]}
        />
      </Card>
    </>
  );
}
