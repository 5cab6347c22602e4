// SPDX-License-Identifier: Apache-2.0
// Who is signed in decides what there is: the pages, or the door.
import { useState } from 'react';
import { get, Problem } from './api/client.ts';
import type { Session } from './api/types.ts';
import { useResource } from './api/use-resource.ts';
import type { Arrival } from './arrival.ts';
import { Gate } from './gate.tsx';
import { Failed, Skeleton } from './parts/parts.tsx';
import { takeQuery } from './router.ts';
import { Shell } from './shell.tsx';

const TENANT_MEMORY = 'bailiwick-tenant';
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function readArrival(): Arrival {
  const query = takeQuery();
  const stated = query.get('tenant') ?? '';
  const problem = query.get('problem') ?? undefined;
  let tenant = UUID.test(stated) ? stated : undefined;
  try {
    if (tenant === undefined) tenant = localStorage.getItem(TENANT_MEMORY) ?? undefined;
    else localStorage.setItem(TENANT_MEMORY, tenant);
  } catch {
    // A browser that keeps nothing is told each time.
  }
  return { tenant, problem };
}

/** The session, or nothing where nobody is signed in. */
async function loadSession(): Promise<Session | null> {
  try {
    return await get<Session>('/v1/session');
  } catch (error) {
    if (error instanceof Problem && error.document.status === 401) return null;
    throw error;
  }
}

const SESSION_LOOK_MS = 60_000;

export function App() {
  const [arrival] = useState(readArrival);
  const session = useResource('session', loadSession, { everyMs: SESSION_LOOK_MS });
  if (session.value === undefined) {
    return (
      <main className="gate">
        <div className="gate-inner">
          {session.problem === undefined ? (
            <Skeleton />
          ) : (
            <Failed problem={session.problem} onRetry={session.reload} />
          )}
        </div>
      </main>
    );
  }
  if (session.value === null) return <Gate arrival={arrival} />;
  return <Shell session={session.value} onSignedOut={session.reload} />;
}
