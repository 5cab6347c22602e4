// SPDX-License-Identifier: Apache-2.0
import { Badge, type Tone } from '../parts/parts.tsx';

const TONES: Readonly<Record<string, Tone>> = {
  completed: 'good',
  delivered: 'good',
  refused: 'bad',
  failed: 'bad',
};

/** How a transfer stands, in a word and a colour. */
export function TransferState({ state }: { readonly state: string }) {
  return <Badge tone={TONES[state] ?? 'plain'}>{state}</Badge>;
}
