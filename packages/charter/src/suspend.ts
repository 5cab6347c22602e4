// SPDX-License-Identifier: Apache-2.0
// The text in which a mechanism is suspended: comments, order and everything else stay as they are.
import { isMap, parseDocument } from 'yaml';

/**
 * Suspends a mechanism from an instant (RFC 3339) on; `undefined` where the text names no such mechanism.
 * The text is a charter that has been read before.
 */
export function suspendMechanism(
  text: string,
  mechanism: string,
  instant: string,
): string | undefined {
  const document = parseDocument(text);
  const clause = document.getIn(['mechanisms', mechanism]);
  if (!isMap(clause)) return undefined;
  clause.set('suspendedFrom', instant);
  return document.toString({ lineWidth: 0 });
}
