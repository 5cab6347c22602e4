// SPDX-License-Identifier: Apache-2.0
// A real Chromium of the system, and the portal in it as a person uses it: by roles and names, never by
// structure. It collects what a person would not see: errors, refusals by the content policy, addresses.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import type { ResidencyName } from './demo.ts';
import type { SharedSystem } from './shared.ts';

const BINARIES = [
  '/usr/bin/chromium-headless-shell',
  '/usr/bin/chromium',
  '/usr/bin/google-chrome',
];
const AXE = readFileSync(
  path.resolve(import.meta.dirname, '../node_modules/axe-core/axe.min.js'),
  'utf8',
);

/** Where the system's Chromium is; nothing where there is none. */
export function findChromium(): string | undefined {
  return BINARIES.find((file) => existsSync(file));
}

export function openBrowser(executablePath: string): Promise<Browser> {
  // As root there is no sandbox to be had; what is opened here is ours.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath, args });
}

export interface PortalVisit {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly origin: string;
  /** Addresses that were asked for. */
  readonly addresses: readonly string[];
  /** What the console said of errors, but for answers that a page expects and shows. */
  readonly errors: readonly string[];
  /** Goes to a page by its address and waits until it has what it shows. */
  open(name: string): Promise<void>;
  close(): Promise<void>;
}

export interface VisitOptions {
  readonly residency?: ResidencyName;
  readonly tenant: string;
  /** Name of a person of the demonstration; absent: stays at the door. */
  readonly person?: string;
  readonly colorScheme?: 'light' | 'dark';
  readonly viewport?: { readonly width: number; readonly height: number };
}

const EXPECTED = /Failed to load resource: .* (?:401|403|404|423)/;

/** Opens the portal of a cell, and signs a person in by hand. */
export async function visitPortal(
  browser: Browser,
  system: SharedSystem,
  options: VisitOptions,
): Promise<PortalVisit> {
  const { name, port } = system.cell(options.residency ?? 'eu-de');
  const origin = `https://${name}:${port}`;
  const context = await browser.newContext({
    // The authority of a test is nobody's but this test's.
    ignoreHTTPSErrors: true,
    colorScheme: options.colorScheme ?? 'light',
    viewport: options.viewport ?? { width: 1280, height: 900 },
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  const addresses: string[] = [];
  const errors: string[] = [];
  page.on('request', (request) => addresses.push(request.url()));
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' && !EXPECTED.test(message.text())) errors.push(message.text());
  });
  const visit = {
    ...{ page, context, origin, addresses, errors },
    async open(target: string) {
      await page.goto(`${origin}/portal/${target}`);
      await settle(page);
    },
    close: () => context.close(),
  };
  await page.goto(`${origin}/portal/?tenant=${options.tenant}`);
  if (options.person === undefined) return visit;
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: options.person }).click();
  await page.waitForURL(`${origin}/portal/**`);
  return visit;
}

/** Waits until nothing on the page is loading. */
export async function settle(page: Page): Promise<void> {
  await page.getByRole('heading', { level: 1 }).waitFor();
  await page.getByText('Loading', { exact: true }).first().waitFor({ state: 'detached' });
}

interface AxeResult {
  readonly violations: readonly {
    readonly id: string;
    readonly help: string;
    readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
  }[];
}

/** What axe finds wrong on a page, one line each. */
export async function findBarriers(page: Page): Promise<readonly string[]> {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate<AxeResult>('axe.run()');
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.slice(0, 3).map(({ html, failureSummary = '' }) => {
      return `${id}: ${help}: ${html.slice(0, 160)} ${failureSummary.slice(0, 200)}`;
    }),
  );
}
