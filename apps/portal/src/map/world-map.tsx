// SPDX-License-Identifier: Apache-2.0
// The world as the charter sees it: each country in the colour of the cell that is home to its data,
// stronger where records of it lie here. Everything it shows stands in the tables beside it as well.
import type { CSSProperties } from 'react';
import type { CellAnswer, PlaceAnswer } from '../api/types.ts';

/** `public/world.json`, made by `map/make-world.ts`. */
export interface World {
  readonly width: number;
  readonly height: number;
  readonly places: Readonly<Record<string, readonly [x: number, y: number]>>;
  readonly countries: readonly { readonly id?: string; readonly path: string }[];
}

/** A way on which something crossed. */
export interface Crossing {
  readonly from: string;
  readonly to: string;
}

const COLOURS_COUNT = 6;

/** This cell has the first colour, the others theirs by their place among all. */
export function toColour(cells: readonly CellAnswer[], cell: string): string {
  const others = cells.filter(({ isThis }) => !isThis);
  const order = [...cells.filter(({ isThis }) => isThis), ...others];
  const at = order.findIndex((one) => one.cell === cell);
  return `var(--cell-${(Math.max(0, at) % COLOURS_COUNT) + 1})`;
}

function findPoint(world: World, location: string): readonly [number, number] | undefined {
  return world.places[location] ?? world.places[location.split('-')[0] ?? ''];
}

function toArc([ax, ay]: readonly [number, number], [bx, by]: readonly [number, number]): string {
  const lift = Math.min(90, Math.hypot(bx - ax, by - ay) / 3.2);
  return `M${ax} ${ay}Q${(ax + bx) / 2} ${Math.min(ay, by) - lift} ${bx} ${by}`;
}

export interface WorldMapProps {
  readonly world: World;
  readonly cells: readonly CellAnswer[];
  readonly places: readonly PlaceAnswer[];
  /** Records that lie here, by origin. */
  readonly counts: ReadonlyMap<string, number>;
  readonly crossings: readonly Crossing[];
  readonly chosen: string;
  readonly onChoose: (origin: string) => void;
  readonly label: string;
}

export function WorldMap(props: WorldMapProps) {
  const { world, cells, places, counts, crossings, chosen, onChoose, label } = props;
  const homes = new Map(places.map((place) => [place.origin, place.cell]));
  const most = Math.max(1, ...counts.values());
  const toStyle = (id: string | undefined): CSSProperties => {
    const home = id === undefined ? undefined : homes.get(id);
    if (home === undefined) return {};
    const count = counts.get(id ?? '') ?? 0;
    const opacity = count === 0 ? 0.26 : 0.55 + 0.4 * Math.sqrt(count / most);
    return { fill: toColour(cells, home), fillOpacity: opacity };
  };
  return (
    <div className="map">
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: the same choice is a field with a label below */}
      <svg
        viewBox={`0 0 ${world.width} ${world.height}`}
        role="img"
        aria-label={label}
        onClick={(event) => {
          const { country } = event.target instanceof SVGElement ? event.target.dataset : {};
          if (country !== undefined) onChoose(country);
        }}
      >
        {world.countries.map(({ id, path }) => (
          <path
            key={path.slice(0, 24)}
            className="land"
            d={path}
            style={toStyle(id)}
            data-country={id}
            data-chosen={id !== undefined && id === chosen}
          />
        ))}
        <Crossings {...{ world, cells, crossings }} />
        {cells.map((cell) => (
          <CellMark key={cell.cell} world={world} cell={cell} colour={toColour(cells, cell.cell)} />
        ))}
      </svg>
    </div>
  );
}

function Crossings({
  world,
  cells,
  crossings,
}: Pick<WorldMapProps, 'world' | 'cells' | 'crossings'>) {
  const pointOf = (cell: string): readonly [number, number] | undefined => {
    const found = cells.find((one) => one.cell === cell);
    return found === undefined ? undefined : findPoint(world, found.location);
  };
  return crossings.map(({ from, to }) => {
    const [start, end] = [pointOf(from), pointOf(to)];
    if (start === undefined || end === undefined) return null;
    return <path key={`${from} ${to}`} className="arc" d={toArc(start, end)} />;
  });
}

function CellMark({
  world,
  cell,
  colour,
}: {
  readonly world: World;
  readonly cell: CellAnswer;
  readonly colour: string;
}) {
  const point = findPoint(world, cell.location);
  if (point === undefined) return null;
  const [x, y] = point;
  const isLeft = x > 820 || cell.location === 'uk';
  return (
    <g style={{ pointerEvents: 'none' }}>
      <circle className="halo" cx={x} cy={y} r={cell.isThis ? 10 : 7.5} />
      <circle cx={x} cy={y} r={cell.isThis ? 7.5 : 5.5} style={{ fill: colour }} />
      {cell.isThis ? <circle className="halo" cx={x} cy={y} r={2.6} /> : null}
      <text x={isLeft ? x - 14 : x + 14} y={y + 4.5} textAnchor={isLeft ? 'end' : 'start'}>
        {cell.residency}
      </text>
    </g>
  );
}
