import type { Environment, EventSource } from '../environment.js';

/** What a page's events mean to heartbeats. */
export interface PageHandlers {
  /** The network is back, or the page is looked at again. */
  readonly onSignal: (what: 'online' | 'visible') => void;
  /** The network is gone. */
  readonly onOffline?: () => void;
  /** The page goes away, perhaps to come back. */
  readonly onHide: () => void;
  /** The page is shown: for the first time, or out of the back/forward cache. */
  readonly onShow: () => void;
}

/** Listens to a page's events, until the function that is returned is called. */
export function listenToPage({ window, document }: Environment, handlers: PageHandlers): () => void {
  const undo: (() => void)[] = [];
  const on = (source: EventSource | undefined, type: string, listener: () => void) => {
    source?.addEventListener(type, listener);
    undo.push(() => source?.removeEventListener(type, listener));
  };
  on(window, 'online', () => handlers.onSignal('online'));
  if (handlers.onOffline) on(window, 'offline', handlers.onOffline);
  on(document, 'visibilitychange', () => {
    if (document?.visibilityState === 'visible') handlers.onSignal('visible');
  });
  on(window, 'pagehide', () => handlers.onHide());
  on(window, 'pageshow', () => handlers.onShow());
  return () => undo.forEach((off) => off());
}
