// SPDX-License-Identifier: Apache-2.0
// Writes public/world.json: the outlines of countries as SVG paths in the Equal Earth projection (Šavrič,
// Patterson and Jenny 2018). Source: Natural Earth 1:110m, which is in the public domain, as TopoJSON from
// the npm package `world-atlas` 2.0.2. Run by hand:
//   node apps/portal/map/make-world.ts <countries-110m.json>
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { findJurisdiction } from '../../../packages/atlas/src/index.ts';

type Point = readonly [x: number, y: number];
interface Geometry {
  readonly type: string;
  readonly arcs: readonly (readonly (readonly number[] | number)[])[];
  readonly properties: { readonly name: string };
}
interface Topology {
  readonly transform: { readonly scale: Point; readonly translate: Point };
  readonly arcs: readonly (readonly Point[])[];
  readonly objects: { readonly countries: { readonly geometries: readonly Geometry[] } };
}

const WIDTH = 1000;
/** Names of the source that the atlas has in another form. */
const NAMES: Readonly<Record<string, string>> = {
  'United States of America': 'us',
  'United Kingdom': 'uk',
  'Dem. Rep. Congo': 'cd',
  Congo: 'cg',
  'Central African Rep.': 'cf',
  'Bosnia and Herz.': 'ba',
  Macedonia: 'mk',
  'Dominican Rep.': 'do',
  'Eq. Guinea': 'gq',
  'S. Sudan': 'ss',
  'Solomon Is.': 'sb',
  'Côte d\u2019Ivoire': 'ci',
  "Côte d'Ivoire": 'ci',
  Czechia: 'cz',
  eSwatini: 'sz',
  'W. Sahara': 'eh',
  'Falkland Is.': 'fk',
  'Fr. S. Antarctic Lands': 'tf',
  Turkey: 'tr',
  Palestine: 'ps',
  'South Korea': 'kr',
  'North Korea': 'kp',
  Laos: 'la',
  Vietnam: 'vn',
  Russia: 'ru',
  Iran: 'ir',
  Syria: 'sy',
  Brunei: 'bn',
  Moldova: 'md',
  Tanzania: 'tz',
  Bolivia: 'bo',
  Venezuela: 've',
  Taiwan: 'tw',
  Gambia: 'gm',
  Bahamas: 'bs',
  'Timor-Leste': 'tl',
};

/** Equal Earth: x from -2.71 to 2.71, y from -1.32 to 1.32. */
function project([longitude, latitude]: Point): Point {
  const [a1, a2, a3, a4] = [1.340264, -0.081106, 0.000893, 0.003796];
  const theta = Math.asin((Math.sqrt(3) / 2) * Math.sin((latitude * Math.PI) / 180));
  const t2 = theta * theta;
  const t6 = t2 * t2 * t2;
  const lambda = (longitude * Math.PI) / 180;
  const x =
    (2 * Math.sqrt(3) * lambda * Math.cos(theta)) /
    (3 * (9 * a4 * t6 * t2 + 7 * a3 * t6 + 3 * a2 * t2 + a1));
  return [x, theta * (a4 * t6 * t2 + a3 * t6 + a2 * t2 + a1)];
}

const [X_MAX, Y_TOP, Y_BOTTOM] = [project([180, 0])[0], project([0, 84])[1], project([0, -57])[1]];
const SCALE = WIDTH / (2 * X_MAX);
const HEIGHT = Math.round((Y_TOP - Y_BOTTOM) * SCALE);

/** A place on the map. */
export function toMapPoint(place: Point): Point {
  const [x, y] = project(place);
  const round = (value: number): number => Math.round(value * 10) / 10;
  return [round((x + X_MAX) * SCALE), round((Y_TOP - y) * SCALE)];
}

function readArcs({ arcs, transform }: Topology): readonly (readonly Point[])[] {
  const { scale, translate } = transform;
  return arcs.map((arc) => {
    let [x, y] = [0, 0];
    return arc.map(([dx, dy]): Point => {
      x += dx;
      y += dy;
      return [x * scale[0] + translate[0], y * scale[1] + translate[1]];
    });
  });
}

function toPath(
  rings: readonly (readonly number[])[],
  arcs: readonly (readonly Point[])[],
): string {
  return rings
    .map((ring) => {
      const points = ring.flatMap((index, at) => {
        const arc = index < 0 ? [...(arcs[~index] ?? [])].reverse() : (arcs[index] ?? []);
        return at === 0 ? arc : arc.slice(1);
      });
      let [lastX, lastY] = [Number.NaN, Number.NaN];
      const steps = points.map(toMapPoint).flatMap(([x, y], at) => {
        if (x === lastX && y === lastY) return [];
        const before = lastX;
        [lastX, lastY] = [x, y];
        // Across the map's edge the line is lifted, or it would run through the whole world.
        const isOver = Math.abs(x - before) > WIDTH / 2;
        return [`${at === 0 || isOver ? 'M' : 'L'}${x} ${y}`];
      });
      return steps.length < 3 ? '' : `${steps.join('')}Z`;
    })
    .join('');
}

const file = process.argv[2] ?? '';
const topology = JSON.parse(readFileSync(file, 'utf8')) as Topology;
const arcs = readArcs(topology);
const countries = topology.objects.countries.geometries.flatMap(
  ({ type, arcs: own, properties }) => {
    const { name } = properties;
    const id = NAMES[name] ?? findJurisdiction(name)?.id;
    if (name === 'Antarctica') return [];
    if (id === undefined) process.stderr.write(`no jurisdiction for ${name}\n`);
    const polygons = (
      type === 'Polygon' ? [own] : own
    ) as readonly (readonly (readonly number[])[])[];
    const path = polygons.map((rings) => toPath(rings, arcs)).join('');
    return path === '' ? [] : [{ ...(id === undefined ? {} : { id }), path }];
  },
);
const places = Object.fromEntries(
  (
    [
      ['de', [8.68, 50.11]],
      ['uk', [-0.13, 51.51]],
      ['us-va', [-77.49, 39.04]],
      ['us', [-77.49, 39.04]],
      ['au', [151.21, -33.87]],
      ['ie', [-6.26, 53.35]],
      ['fr', [2.35, 48.86]],
      ['ch', [8.54, 47.38]],
      ['jp', [139.69, 35.69]],
      ['sg', [103.82, 1.35]],
      ['in', [72.88, 19.08]],
      ['ca', [-73.57, 45.5]],
      ['br', [-46.63, -23.55]],
      ['za', [18.42, -33.92]],
      ['ae', [55.27, 25.2]],
      ['se', [18.07, 59.33]],
    ] as const
  ).map(([id, place]) => [id, toMapPoint(place)]),
);
const output = path.resolve(import.meta.dirname, '../public/world.json');
writeFileSync(output, `${JSON.stringify({ width: WIDTH, height: HEIGHT, places, countries })}\n`);
