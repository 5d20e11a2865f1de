// What a test arranges behind the page's back, by the API.

import { admin } from "./program";

export interface Person {
  id: number;
  username: string;
  password: string;
}

export const PASSWORD = "a long enough word";

async function call(address: string, method: string, path: string, body?: unknown, token?: string) {
  const headers: Record<string, string> = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (token) headers.Authorization = `Bearer ${token}`;
  const answer = await fetch(address + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  const text = await answer.text();
  return text ? JSON.parse(text) : null;
}

export class Backstage {
  private constructor(
    readonly address: string,
    private readonly token: string,
  ) {}

  static async enter(address: string): Promise<Backstage> {
    const { access } = await call(address, "POST", "/api/users/login/", { ...admin, device: "test" });
    return new Backstage(address, access);
  }

  async create(username: string, more: Record<string, unknown> = {}): Promise<Person> {
    const body = { username, email: `${username}@example.org`, password: PASSWORD, ...more };
    const { user } = await call(this.address, "POST", "/api/users/", body, this.token);
    return { id: user.id, username, password: PASSWORD };
  }

  async everyone(): Promise<{ id: number; username: string; status: string; is_active: boolean }[]> {
    return (await call(this.address, "GET", "/api/users/all-users/?limit=1000", undefined, this.token)).users;
  }

  /** As somebody who is logged in. */
  as(token: string, method: string, path: string, body?: unknown) {
    return call(this.address, method, path, body, token);
  }

  act(action: string, id: number, reason?: string) {
    return call(this.address, "POST", `/api/users/${id}/${action}/`, { reason }, this.token);
  }

  /** Logs somebody in as a device of its own, and answers its token. */
  async logIn(person: Pick<Person, "username" | "password">, device: string): Promise<string> {
    const { access } = await call(this.address, "POST", "/api/users/login/", { username: person.username, password: person.password, device });
    return access;
  }

  logOut(token: string) {
    return call(this.address, "POST", "/api/users/logout/", undefined, token);
  }
}
