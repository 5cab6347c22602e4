// SPDX-License-Identifier: Apache-2.0
// The door: says where one is and sends to the identity provider of one's own place.
import { type FormEvent, useEffect, useState } from 'react';
import { type ProblemDocument, post, toProblem } from './api/client.ts';
import type { Arrival } from './arrival.ts';
import { Icon, Mark } from './parts/icons.tsx';
import { Failed, Note } from './parts/parts.tsx';
import { toSentence } from './parts/words.ts';

export function Gate({ arrival }: { readonly arrival: Arrival }) {
  const [tenant, setTenant] = useState(arrival.tenant ?? '');
  const [problem, setProblem] = useState<ProblemDocument | undefined>();
  const [isGoing, setIsGoing] = useState(false);
  const host = location.hostname.replace('.cells.bailiwick.localhost', '');
  useEffect(() => {
    document.title = 'Sign in · Bailiwick';
  }, []);
  const begin = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setIsGoing(true);
    setProblem(undefined);
    try {
      const { location: provider } = await post<{ location: string }>('/v1/sign-ins', {
        tenant: tenant.trim(),
      });
      location.assign(provider);
    } catch (error) {
      setProblem(toProblem(error));
      setIsGoing(false);
    }
  };
  return (
    <main className="gate">
      <form className="gate-inner" onSubmit={(event) => void begin(event)}>
        <Mark />
        <div className="head">
          <h1>Sign in to {host}</h1>
          <p className="lead">
            This cell keeps your organisation’s data in its place. You sign in at your
            organisation’s own identity provider; nothing about you leaves it but your role.
          </p>
        </div>
        {arrival.problem === undefined ? null : (
          <Note tone="warn" title="You were not signed in">
            <p>{toSentence(arrival.problem, 'The sign-in failed')}</p>
            <p className="small mono">{arrival.problem}</p>
          </Note>
        )}
        {problem === undefined ? null : <Failed problem={problem} />}
        <div className="field">
          <label htmlFor="tenant">Organisation</label>
          <input
            id="tenant"
            type="text"
            className="mono"
            value={tenant}
            onChange={(event) => setTenant(event.target.value)}
            placeholder="its id, as your administrator has it"
            autoComplete="off"
            spellCheck={false}
            required
          />
        </div>
        <button type="submit" className="button primary" disabled={isGoing || tenant === ''}>
          <Icon name="lock" size={17} />
          {isGoing ? 'Going to your identity provider…' : 'Sign in'}
        </button>
      </form>
    </main>
  );
}
