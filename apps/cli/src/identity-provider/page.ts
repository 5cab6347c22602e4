// SPDX-License-Identifier: Apache-2.0
// The one page of the demonstration's identity provider: choose who you are. No password, because there is
// nobody to protect: it listens on this machine only and its people are made up.
import type { DemoPerson } from './people.ts';

const STYLE = `
:root { color-scheme: light dark; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 24px; box-sizing: border-box;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif;
  background: light-dark(#f6f7f8, #101418); color: light-dark(#1a2129, #e6eaee); }
main { width: min(440px, 100%); }
h1 { font-size: 22px; font-weight: 600; letter-spacing: -.01em; margin: 0 0 6px; }
p { margin: 0 0 20px; color: light-dark(#52606d, #9aa7b4); }
ul { list-style: none; margin: 0; padding: 0; display: grid; gap: 8px; }
button { all: unset; box-sizing: border-box; width: 100%; cursor: pointer; padding: 12px 16px; border-radius: 10px;
  background: light-dark(#fff, #181e25); border: 1px solid light-dark(#dde2e7, #2b343e); display: grid; }
button:hover { border-color: light-dark(#0f6e62, #5cc5b4); }
button:focus-visible { outline: 2px solid light-dark(#0f6e62, #5cc5b4); outline-offset: 2px; }
button strong { font-weight: 600; } button span { color: light-dark(#52606d, #9aa7b4); font-size: 14px; }`;

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};
const toHtml = (text: string): string => text.replace(/[&<>"]/g, (one) => ENTITIES[one] ?? '');

/** The page's text; `nonce` lets its own style through its policy. */
export function toChoicePage(
  people: readonly DemoPerson[],
  { uid, nonce }: { readonly uid: string; readonly nonce: string },
): string {
  const items = people.map(
    ({ id, name, task }) =>
      `<li><form method="post" action="/interaction/${toHtml(uid)}"><button name="person" value="${toHtml(id)}">` +
      `<strong>${toHtml(name)}</strong><span>${toHtml(task)}</span></button></form></li>`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sign in · demonstration</title><style nonce="${nonce}">${STYLE}</style></head>
<body><main><h1>Who are you today?</h1>
<p>The demonstration’s identity provider. Its people are made up, and it listens on this machine only.</p>
<ul>${items.join('')}</ul></main></body></html>`;
}
