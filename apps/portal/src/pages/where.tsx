// SPDX-License-Identifier: Apache-2.0
// Where my data is: the first question of anybody who asks anything.
import { useState } from 'react';
import { get } from '../api/client.ts';
import type {
  CellAnswer,
  Cells,
  HoldingsAnswer,
  PlaceAnswer,
  Places,
  Transfers,
} from '../api/types.ts';
import { useResource } from '../api/use-resource.ts';
import { type Crossing, toColour, type World, WorldMap } from '../map/world-map.tsx';
import type { PageProps } from '../page-props.ts';
import {
  Badge,
  Behind,
  Card,
  Choice,
  Empty,
  Instant,
  PageHead,
  Shown,
  Stats,
  Table,
  Whole,
} from '../parts/parts.tsx';
import { toCount, toCounted, toInstant, toSize, toWords } from '../parts/words.ts';
import { TransferState } from './transfer-state.tsx';

interface Geography {
  readonly world: World;
  readonly cells: readonly CellAnswer[];
  readonly places: readonly PlaceAnswer[];
}

async function loadGeography(): Promise<Geography> {
  const [world, cells, places] = await Promise.all([
    get<World>('/portal/world.json'),
    get<Cells>('/v1/cells'),
    get<Places>('/v1/places'),
  ]);
  return { world, cells: cells.items, places: places.items };
}

const FRESH_MS = 15_000;
const ORIGINS_SHOWN = 12;
const DELIVERED: readonly string[] = ['delivered', 'completed'];

export function WherePage({ session }: PageProps) {
  const holdings = useResource('holdings', () => get<HoldingsAnswer>('/v1/holdings'), {
    everyMs: FRESH_MS,
  });
  const geography = useResource('geography', loadGeography);
  const transfers = useResource('transfers', () => get<Transfers>('/v1/transfers'));
  const { residency, cell } = session;
  const crossings = (transfers.value?.items ?? []).flatMap(({ state, destination }): Crossing[] => {
    const isThere = DELIVERED.includes(state) && destination.id !== undefined;
    return isThere ? [{ from: cell, to: destination.id ?? '' }] : [];
  });
  return (
    <>
      <PageHead
        title="Where my data is"
        lead="What rests in this cell, where it came from, where else you have a home, and what has crossed a border. Each cell shows its own; nothing of this left its place to be shown here."
      />
      <Whole of={[holdings, geography, transfers]}>
        <Shown of={holdings} lines={2}>
          {(value) => <HoldingStats value={value} />}
        </Shown>
        <Card title="Every country and its home" hint={MAP_HINT}>
          <Shown of={geography} lines={9}>
            {(value) => (
              <Geographic
                {...value}
                holdings={holdings.value}
                crossings={crossings.filter(
                  (one, at) => crossings.findIndex(({ to }) => to === one.to) === at,
                )}
              />
            )}
          </Shown>
        </Card>
        <Card
          title={`What lies in ${residency}`}
          hint="By collection and field set. Sealed fields are ciphertext whose label cannot be changed; plain ones hold nothing about a person."
        >
          <Shown of={holdings}>{(value) => <FieldSets value={value} />}</Shown>
        </Card>
        <div className="columns">
          <Card title="Where it was collected" hint="Records in this cell by country of origin.">
            <Shown of={holdings}>
              {(value) => <Origins value={value} places={geography.value?.places ?? []} />}
            </Shown>
          </Card>
          <Card title="What crossed" hint="The newest transfers out of this cell.">
            <Shown of={transfers}>{(value) => <Crossed value={value} />}</Shown>
          </Card>
        </div>
        <Card
          title="Your other cells"
          hint="Detail stays in its place: each cell shows its own portal."
        >
          <Shown of={geography}>
            {({ cells }) => <OtherCells cells={cells} tenant={session.tenant} />}
          </Shown>
        </Card>
        <Behind
          commands={[
            `bailiwick record search ${residency} customers`,
            'bailiwick charter report charters/retailer.yaml --kind article-30-controller',
            'bailiwick status',
          ]}
          calls={['GET /v1/holdings', 'GET /v1/cells', 'GET /v1/places', 'GET /v1/transfers']}
        />
      </Whole>
    </>
  );
}

const MAP_HINT =
  'Colour: the cell that the charter makes home. Strong: records of that country lie in this cell. Grey: refused. Choose a country to read why.';

function HoldingStats({ value }: { readonly value: HoldingsAnswer }) {
  const subjects = Math.max(0, ...value.collections.map(({ subjectsCount }) => subjectsCount));
  const sealed = value.collections
    .flatMap(({ fieldSets }) => fieldSets)
    .filter(({ protection }) => protection === 'sealed')
    .reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return (
    <Stats
      items={[
        {
          name: 'Records here',
          value: toCount(value.recordsCount),
          hint: `in ${toCounted(value.collections.length, 'collection')}`,
        },
        { name: 'People', value: toCount(subjects), hint: 'in the largest collection' },
        {
          name: 'Stored',
          value: toSize(value.sizeBytes),
          hint:
            value.sizeBytes === 0
              ? 'nothing yet'
              : `${Math.round((sealed / value.sizeBytes) * 100)} % of it sealed`,
        },
        {
          name: 'Countries of origin',
          value: toCount(value.origins.length),
          hint: `counted ${toInstant(value.countedAt)}`,
        },
      ]}
    />
  );
}

function Geographic({
  world,
  cells,
  places,
  holdings,
  crossings,
}: Geography & {
  readonly holdings: HoldingsAnswer | undefined;
  readonly crossings: readonly Crossing[];
}) {
  const [chosen, setChosen] = useState('');
  const counts = new Map(
    (holdings?.origins ?? []).map(({ origin, recordsCount }) => [origin, recordsCount]),
  );
  const options = places
    .map(({ origin, name }) => [origin, name] as const)
    .sort(([, a], [, b]) => a.localeCompare(b, 'en'));
  const place = places.find(({ origin }) => origin === chosen);
  return (
    <>
      <WorldMap
        {...{ world, cells, places, counts, crossings, chosen }}
        onChoose={setChosen}
        label={`World map: ${cells.length} cells; countries in the colour of their home. The tables on this page say the same.`}
      />
      <ul className="legend">
        {cells.map(({ cell, residency, isThis }) => (
          <li key={cell}>
            <span className="swatch round" style={{ background: toColour(cells, cell) }} />
            {residency}
            {isThis ? ' (this cell)' : ''}
          </li>
        ))}
        <li>
          <span className="swatch" style={{ background: 'var(--land)' }} />
          refused: no home
        </li>
        {crossings.length === 0 ? null : <li>┄ figures crossed</li>}
      </ul>
      <div className="finder">
        <Choice
          label="A country"
          value={chosen}
          options={options}
          empty="Choose a country"
          onChange={setChosen}
        />
        <div aria-live="polite">
          {place === undefined ? (
            <p className="muted">Its home, the law that goes with its data, and the reason.</p>
          ) : (
            <PlaceText place={place} count={counts.get(place.origin) ?? 0} />
          )}
        </div>
      </div>
    </>
  );
}

function PlaceText({ place, count }: { readonly place: PlaceAnswer; readonly count: number }) {
  const { name, cell, regimes = [], because, source } = place;
  return (
    <>
      <p>
        <strong>{name}</strong>{' '}
        {cell === undefined ? (
          <Badge tone="warn">refused</Badge>
        ) : (
          <>
            lives in <strong>{cell}</strong>{' '}
            {regimes.map((regime) => (
              <Badge key={regime}>{regime}</Badge>
            ))}
          </>
        )}
      </p>
      <p className="muted">
        {because}
        {source === undefined ? '' : ` [${source}]`}
      </p>
      <p className="muted">{toCounted(count, 'record')} of it here.</p>
    </>
  );
}

function FieldSets({ value }: { readonly value: HoldingsAnswer }) {
  const rows = value.collections.flatMap((collection) =>
    collection.fieldSets.map((set) => ({ ...set, of: collection })),
  );
  if (rows.length === 0) {
    return (
      <Empty title="Nothing lies here yet.">
        <p>A collection appears with its first schema, records with their first import.</p>
      </Empty>
    );
  }
  return (
    <Table
      label="What lies in this cell"
      rows={rows}
      keyOf={({ of, name }) => `${of.collection} ${name}`}
      columns={[
        { name: 'Collection', show: ({ of }) => <strong>{of.collection}</strong> },
        { name: 'Field set', show: ({ name }) => name },
        { name: 'Class', show: (row) => toWords(row.class) },
        { name: 'Category', show: ({ category }) => toWords(category) },
        {
          name: 'Protection',
          show: ({ protection }) => (
            <Badge tone={protection === 'sealed' ? 'good' : 'plain'}>{protection}</Badge>
          ),
        },
        { name: 'Purpose', show: ({ purpose }) => toWords(purpose) },
        { name: 'Records', isNumber: true, show: ({ of }) => toCount(of.recordsCount) },
        { name: 'Size', isNumber: true, show: ({ sizeBytes }) => toSize(sizeBytes) },
      ]}
    />
  );
}

function Origins({
  value,
  places,
}: {
  readonly value: HoldingsAnswer;
  readonly places: readonly PlaceAnswer[];
}) {
  const names = new Map(places.map(({ origin, name }) => [origin, name]));
  const [most] = value.origins;
  if (most === undefined) return <Empty title="No records, so no origins." />;
  const rest = value.origins.slice(ORIGINS_SHOWN);
  const others = rest.reduce((sum, { recordsCount }) => sum + recordsCount, 0);
  const shown = [
    ...value.origins.slice(0, ORIGINS_SHOWN),
    ...(others === 0 ? [] : [{ origin: `${rest.length} others`, recordsCount: others }]),
  ];
  return (
    <ul className="bars">
      {shown.map(({ origin, recordsCount }) => (
        <li key={origin}>
          <span>{names.get(origin) ?? origin}</span>
          <span className="bar">
            <span
              style={{ width: `${(100 * recordsCount) / Math.max(most.recordsCount, others)}%` }}
            />
          </span>
          <span className="number">{toCount(recordsCount)}</span>
        </li>
      ))}
    </ul>
  );
}

function Crossed({ value }: { readonly value: Transfers }) {
  const rows = value.items.slice(0, 6);
  if (rows.length === 0) {
    return (
      <Empty title="Nothing has left this cell.">
        <p>Transfers stand here from the moment they are asked for.</p>
      </Empty>
    );
  }
  return (
    <Table
      label="The newest transfers out of this cell"
      rows={rows}
      keyOf={({ transferId }) => transferId}
      columns={[
        { name: 'When', show: ({ createdAt }) => <Instant at={createdAt} /> },
        { name: 'To', show: ({ destination }) => destination.id ?? toWords(destination.kind) },
        { name: 'Form', show: ({ form }) => toWords(form) },
        { name: 'State', show: ({ state }) => <TransferState state={state} /> },
      ]}
    />
  );
}

function OtherCells({
  cells,
  tenant,
}: {
  readonly cells: readonly CellAnswer[];
  readonly tenant: string;
}) {
  return (
    <Table
      label="Cells"
      rows={cells}
      keyOf={({ cell }) => cell}
      columns={[
        {
          name: 'Cell',
          show: ({ cell }) => (
            <span className="row">
              <span className="swatch round" style={{ background: toColour(cells, cell) }} />
              <strong>{cell}</strong>
            </span>
          ),
        },
        { name: 'Stands in', show: ({ location }) => location },
        { name: 'Operator’s law', show: ({ operator }) => operator },
        {
          name: 'For you',
          show: ({ isHome, isThis }) => (
            <Badge tone={isHome ? 'good' : 'plain'}>
              {isThis ? 'this cell' : isHome ? 'a home' : 'no home'}
            </Badge>
          ),
        },
        {
          name: 'Portal',
          show: ({ origin, isThis, isHome, residency }) =>
            isThis || !isHome || origin === undefined ? (
              <span className="muted">{isThis ? 'you are here' : 'none'}</span>
            ) : (
              <a href={`${origin}/portal/?tenant=${tenant}`}>Open {residency}’s portal</a>
            ),
        },
      ]}
    />
  );
}
