// SPDX-License-Identifier: Apache-2.0
// One thing that a page shows: loading, there, or not to be had. What was there stays while it is read again.
import { useCallback, useEffect, useRef, useState } from 'react';
import { type ProblemDocument, toProblem } from './client.ts';

export interface Resource<T> {
  readonly value: T | undefined;
  readonly problem: ProblemDocument | undefined;
  readonly isLoading: boolean;
  readonly reload: () => void;
}

/** Reads with `load` when `key` changes, and again every `everyMs` while the page is looked at. */
export function useResource<T>(
  key: string,
  load: () => Promise<T>,
  { everyMs }: { readonly everyMs?: number } = {},
): Resource<T> {
  const [state, setState] = useState<Omit<Resource<T>, 'reload'>>({
    value: undefined,
    problem: undefined,
    isLoading: true,
  });
  const newest = useRef(load);
  newest.current = load;
  const turn = useRef(0);
  const read = useCallback(() => {
    turn.current += 1;
    const mine = turn.current;
    setState((before) => ({ ...before, isLoading: true }));
    newest.current().then(
      (value) => {
        if (mine === turn.current) setState({ value, problem: undefined, isLoading: false });
      },
      (error: unknown) => {
        if (mine !== turn.current) return;
        setState((before) => ({ ...before, problem: toProblem(error), isLoading: false }));
      },
    );
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for what `load` closes over
  useEffect(() => {
    setState((before) => ({ ...before, value: undefined, problem: undefined }));
    read();
    return () => {
      turn.current += 1;
    };
  }, [key, read]);
  useEffect(() => {
    if (everyMs === undefined) return undefined;
    const timer = setInterval(() => {
      if (!document.hidden) read();
    }, everyMs);
    return () => clearInterval(timer);
  }, [everyMs, read]);
  return { ...state, reload: read };
}
