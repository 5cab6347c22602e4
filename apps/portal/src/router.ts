// SPDX-License-Identifier: Apache-2.0
// Addresses of pages. They hold the page's name and nothing else.
import { useSyncExternalStore } from 'react';

const BASE = '/portal/';
const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener('popstate', listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener('popstate', listener);
  };
}

const readPage = (): string => location.pathname.slice(BASE.length).replace(/\/$/, '');

/** Address of a page. */
export const toHref = (page: string): string => `${BASE}${page}`;

/** Goes to a page; the reader starts at its top and hears its heading. */
export function goTo(page: string): void {
  history.pushState(null, '', toHref(page));
  for (const listener of listeners) listener();
  window.scrollTo(0, 0);
}

/** Name of the page that the address names; empty for the first. */
export function usePage(): string {
  return useSyncExternalStore(subscribe, readPage);
}

/** What the address says beside the page, taken out of it at once. */
export function takeQuery(): URLSearchParams {
  const query = new URLSearchParams(location.search);
  if (location.search !== '') history.replaceState(null, '', location.pathname);
  return query;
}
