import type { Clock, TimerHandle } from '../time/clock.js';
import { type ClientFrame, parseFrame, type ServerFrame } from './frames.js';
import type { WebSocketConstructor, WebSocketLike } from './types.js';

/** What a subprotocol may be made of, besides letters and digits. The server's tokens are; others may not be. */
const PROTOCOL = /^[\w!#$%&'*+.^`|~-]+$/;
/** How a WebSocket that is given up is closed: the reader has no use for it any more. */
const NORMAL = 1000;
/** The code of a WebSocket that ended without one. */
export const ABNORMAL = 1006;

/** What a socket is made with. */
export interface SocketOptions {
  readonly WebSocket: WebSocketConstructor;
  readonly url: string;
  readonly token: string;
  readonly clock: Clock;
  /** How long it may take until the server says `ready`. */
  readonly timeoutMs: number;
  readonly onFrame: (frame: ServerFrame) => void;
  /** It has ended, but not by `close()`. `opened`: the server had said `ready`. */
  readonly onEnd: (end: { readonly code: number; readonly reason: string; readonly opened: boolean }) => void;
}

interface SocketEvent {
  readonly data?: unknown;
  readonly code?: number;
  readonly reason?: string;
}

/** One WebSocket, from its opening to its end. */
export class LiveSocket {
  readonly #with: SocketOptions;
  readonly #socket: WebSocketLike | null;
  #waiting: TimerHandle = undefined;
  #open = false;
  #ready = false;
  #over = false;

  /** Opens it, with the token as a subprotocol, or in the first frame where it can't be one. */
  constructor(given: SocketOptions) {
    this.#with = given;
    const { WebSocket, url, token } = given;
    const inProtocol = PROTOCOL.test(token);
    this.#expect();
    let socket: WebSocketLike | null = null;
    try {
      socket = new WebSocket(url, inProtocol ? ['bearer', token] : undefined);
    } catch {
      // Not allowed here: as if it had failed, but not before the caller has the socket.
      this.#waiting = given.clock.setTimeout(() => this.#end(ABNORMAL, ''), 0);
    }
    this.#socket = socket;
    if (!socket) return;
    const on = socket.addEventListener.bind(socket) as (type: string, listener: (event: SocketEvent) => void) => void;
    on('open', () => {
      this.#open = true;
      if (!inProtocol) this.auth(token);
    });
    on('message', ({ data }) => this.#hear(data));
    on('close', ({ code, reason }) => this.#end(code ?? ABNORMAL, reason ?? ''));
    // An error is followed by a close.
    on('error', () => undefined);
  }

  /** Whether the server has said `ready`. */
  get ready(): boolean {
    return this.#ready;
  }

  /** Sends a frame, and answers whether it could. */
  send(frame: ClientFrame): boolean {
    if (!this.#open || this.#over) return false;
    try {
      this.#socket?.send(JSON.stringify(frame));
      return true;
    } catch {
      // It is closing.
      return false;
    }
  }

  /** Shows the server a token. If nothing comes back in time, the socket is dead. */
  auth(token: string): void {
    if (this.send({ type: 'auth', token })) this.#expect();
  }

  /** Ends it, without a word to `onEnd`. */
  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#with.clock.clearTimeout(this.#waiting);
    try {
      this.#socket?.close(NORMAL);
    } catch {
      // It was never open.
    }
  }

  #expect(): void {
    const { clock, timeoutMs } = this.#with;
    clock.clearTimeout(this.#waiting);
    this.#waiting = clock.setTimeout(() => this.#end(ABNORMAL, 'No answer came in time.'), timeoutMs);
  }

  #hear(data: unknown): void {
    if (this.#over) return;
    const frame = parseFrame(data);
    if (frame?.type === 'ready') this.#ready = true;
    // Before that, an error may come, but it does not mean that the token was accepted.
    if (this.#ready) this.#with.clock.clearTimeout(this.#waiting);
    if (frame) this.#with.onFrame(frame);
  }

  #end(code: number, reason: string): void {
    if (this.#over) return;
    const opened = this.#ready;
    this.close();
    this.#with.onEnd({ code, reason, opened });
  }
}
