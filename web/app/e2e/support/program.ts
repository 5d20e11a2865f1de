// The real program, started for a test in a folder of its own on a free port, with short times.

import { execFile, spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const binary = resolve(process.env.LASTSEEN_API_BIN ?? join(import.meta.dirname, "../../../../target/debug/lastseen-api"));

export const admin = { username: "admin", password: "correct horse battery" };
export const times = { heartbeat: 1, timeout: 3, refresh: 1 };

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}

export class Program {
  private child: ChildProcess | null = null;
  private log = "";

  private constructor(
    private readonly folder: string,
    readonly port: number,
    private readonly settings: Record<string, string>,
  ) {}

  static async start(settings: Record<string, string> = {}): Promise<Program> {
    const program = new Program(await mkdtemp(join(tmpdir(), "lastseen-e2e-")), await freePort(), settings);
    await program.start();
    return program;
  }

  /** With people in it who have a week behind them. */
  static async demo(people: number, settings: Record<string, string> = {}): Promise<Program> {
    const folder = await mkdtemp(join(tmpdir(), "lastseen-e2e-"));
    const database = { DATABASE_URL: `sqlite://${join(folder, "demo.db")}` };
    const program = new Program(folder, await freePort(), { ...settings, ...database });
    const { cwd, env } = program.surroundings();
    await promisify(execFile)(binary, ["seed-demo", "--users", String(people)], { cwd, env });
    await program.start();
    return program;
  }

  get address() {
    return `http://127.0.0.1:${this.port}`;
  }

  async start() {
    const child = spawn(binary, ["standalone"], { ...this.surroundings(), stdio: ["ignore", "pipe", "pipe"] });
    this.child = child;
    child.stdout?.on("data", (text) => (this.log += text));
    child.stderr?.on("data", (text) => (this.log += text));
    for (let tries = 0; tries < 200; tries += 1) {
      if (child.exitCode !== null) break;
      const answer = await fetch(`${this.address}/healthz`).catch(() => null);
      if (answer?.ok) return;
      await new Promise((done) => setTimeout(done, 50));
    }
    throw new Error(`${binary} did not start:\n${this.log}`);
  }

  private surroundings() {
    return {
      cwd: this.folder,
      env: {
        PATH: process.env.PATH,
        LASTSEEN_BIND: `127.0.0.1:${this.port}`,
        LASTSEEN_ADMIN_USERNAME: admin.username,
        LASTSEEN_ADMIN_PASSWORD: admin.password,
        LASTSEEN_HEARTBEAT_INTERVAL: `${times.heartbeat}s`,
        LASTSEEN_INACTIVITY_TIMEOUT: `${times.timeout}s`,
        LASTSEEN_ADMIN_REFRESH: `${times.refresh}s`,
        LASTSEEN_BCRYPT_COST: "4",
        LASTSEEN_RATE_LIMITS: "off",
        ...this.settings,
      },
    };
  }

  async stop() {
    const { child } = this;
    this.child = null;
    if (!child || child.exitCode !== null) return;
    const gone = new Promise((done) => child.once("exit", done));
    child.kill("SIGTERM");
    await gone;
  }

  async remove() {
    await this.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
