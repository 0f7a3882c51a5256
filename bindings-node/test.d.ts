import { Client, ClientOptions, Job, Server, ServerOptions, Worker, WorkerOptions } from './index.js'

/** What a helper needs of node:test's context. */
export interface TestContext {
  after(run: () => unknown): void
}

export type Functions = Record<string, (job: Job) => ReturnType<Parameters<Worker['function']>[1]>>

/** A broker of the test's own, stopped when the test is over. */
export function server(t: TestContext, options?: ServerOptions): Promise<Server>
/** A client of `server`, closed when the test is over. */
export function client(t: TestContext, server: Server, options?: ClientOptions): Client
/** A worker of `server` with these functions, started; stopped when the test is over. */
export function worker(t: TestContext, server: Server, functions: Functions, options?: WorkerOptions): Promise<Worker>
