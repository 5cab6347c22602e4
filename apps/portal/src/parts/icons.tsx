// SPDX-License-Identifier: Apache-2.0
// The few signs of the portal, drawn here: one stroke, one size. They stand beside words and say nothing by
// themselves.
import type { ReactNode } from 'react';

const PATHS = {
  where:
    'M12 21s7-6.2 7-11.2A7 7 0 0 0 5 9.8C5 14.8 12 21 12 21Zm0-8.6a2.6 2.6 0 1 0 0-5.2 2.6 2.6 0 0 0 0 5.2Z',
  keys: 'M14.5 9.5a4.5 4.5 0 1 0-3.9 4.5l1.9 0V16H15v2.5h2.5V21H21v-3.2l-6.6-6.6a4.5 4.5 0 0 0 .1-1.7ZM8.6 8.6h.01',
  access:
    'M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12ZM12 14.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6Z',
  decisions:
    'M12 4v16M7 20h10M5 8h14M5 8l-2.6 6a2.8 2.8 0 0 0 5.2 0L5 8Zm14 0-2.6 6a2.8 2.8 0 0 0 5.2 0L19 8Z',
  transfers: 'M4 8.5h14M14.5 5 18 8.5 14.5 12M20 15.5H6M9.5 12 6 15.5 9.5 19',
  people:
    'M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7Zm-6.5 9c0-3.6 2.9-6 6.5-6s6.5 2.4 6.5 6M16 4.4a3.5 3.5 0 0 1 0 6.2M18 14.6c2.1.8 3.5 2.8 3.5 5.4',
  evidence: 'M6 3.5h8l4.5 4.5v12.5H6V3.5Zm8 0V8h4.5M9 14.2l2 2 3.8-4',
  operations: 'M3 12h4l2.5-7 5 14 2.5-7h4',
  check: 'm5 12.5 4.5 4.5L19 7.5',
  cross: 'M6.5 6.5l11 11m0-11-11 11',
  dot: 'M12 12h.01',
  warn: 'M12 4 2.8 19.5h18.4L12 4Zm0 6v4.2m0 2.6h.01',
  info: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Zm0-9.5V16m0-8h.01',
  lock: 'M6 11h12v9H6v-9Zm2.5 0V8a3.5 3.5 0 0 1 7 0v3',
  sun: 'M12 16.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM12 2.5v2m0 15v2m9.5-9.5h-2m-15 0h-2m16.2-6.7-1.4 1.4M6.7 17.3l-1.4 1.4m13.4 0-1.4-1.4M6.7 6.7 5.3 5.3',
  menu: 'M4 7h16M4 12h16M4 17h16',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 20 }: { readonly name: IconName; readonly size?: number }) {
  return (
    <svg
      aria-hidden="true"
      focusable="false"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth={name === 'dot' ? 6 : 1.7}
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The mark. */
export function Mark(): ReactNode {
  return (
    <svg aria-hidden="true" focusable="false" width="34" height="34" viewBox="0 0 32 32">
      <rect width="32" height="32" rx="9" fill="var(--accent)" />
      <path
        d="M10.5 8.5v15m0-15h6.4a3.75 3.75 0 0 1 0 7.5h-6.4m0 0h7.3a3.75 3.75 0 0 1 0 7.5h-7.3"
        fill="none"
        stroke="var(--on-accent)"
        strokeWidth="2.4"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  );
}
