/// <reference types="node" />
import { EventEmitter } from 'node:events'

/** What travels as bytes: text goes as UTF-8, nothing as no bytes. */
export type Bytes = Uint8Array | string | null | undefined

/** One server, or several: `'host:port'`, `'unix:/path'`, several with commas, or a {@link Server} of this process. */
export type Servers = string | Server | readonly (string | Server)[]

export interface Signalled {
  /** Ends the wait with an error whose name is `AbortError` and whose code is `ABORT_ERR`. */
  signal?: AbortSignal | undefined
}

/** A row of the table of errors. */
export interface ErrorRow {
  /** The stable name. */
  readonly code: string
  /** libgearman's number. */
  readonly number: number
  readonly description: string
  readonly retryable: boolean
}

/** The error of everything in this package. */
export class LineshaftError extends Error {
  /** All codes; beside them there is `ABORT_ERR`. */
  static readonly codes: ErrorRow[]
  constructor(code: string, message: string, rest?: { data?: Buffer; handle?: string; cause?: unknown })
  /** Stable: `WORK_FAIL`, `WORK_EXCEPTION`, `TIMEOUT`, `LOST_CONNECTION`, `COULD_NOT_CONNECT`, `INVALID_ARGUMENT`, ... */
  readonly code: string
  /** Whether the same request may succeed when it is made again. */
  readonly retryable: boolean
  /** With `WORK_EXCEPTION`: the exception as the worker has sent it. */
  readonly data?: Buffer
  /** The server's name for the job, where it was known. */
  readonly handle?: string
}

/** Thrown by a worker's function: the job has failed, and nothing is said about why (WORK_FAIL). */
export class JobFailed extends Error {}

// ---------------------------------------------------------------------------------------------------------------- Server

export interface ServerOptions {
  /** Where to listen; port 0 takes any free one. Default `'127.0.0.1:0'`; `[]` for a server that only this process reaches. */
  listen?: string | readonly string[]
  /** I/O threads. Default 1; 0 means one for each processor. */
  threads?: number
  /** In which order jobs of several functions are handed out, as gearmand of that version does. Default `'2.0'`. */
  compat?: '1.1' | '2.0'
  /** Every connection starts with exceptions switched on. Default false; this package's clients switch them on themselves. */
  exceptions?: boolean
  /** How often a job may be started before it fails. Default: without limit. */
  jobRetries?: number
  /** What handles begin with. Default `H:lineshaft`. */
  handlePrefix?: string
  /** How many sleeping workers a job wakes; 0 wakes all. Default: one, and more where it does not come. */
  workerWakeup?: number
  /** How long a woken worker may take to come before the next is woken, in ms. Default 50. */
  wakeGrace?: number
  /** Bytes that all jobs may hold together. Default 4 GiB. */
  maxQueueBytes?: number
  /** Bytes that the jobs of one function may hold together. Default: as `maxQueueBytes`. */
  maxFunctionBytes?: number
  /**
   * Where background jobs are kept, so that they survive the end of the process, `kill -9` included: `'log:FOLDER'`, a log in a folder
   * of its own. A background job is acknowledged when it is durable. Default `'memory'`: all jobs end with the server.
   */
  store?: string
}

/** The broker in this process, on its own threads. */
export class Server implements AsyncDisposable {
  private constructor()
  /** Starts a server; resolves when it listens. It keeps the process alive until it is stopped: see {@link Server.unref}. */
  static start(options?: ServerOptions & Signalled): Promise<Server>
  /** Where it listens, ports filled in. */
  readonly addresses: string[]
  /** The first of them. */
  readonly address: string | undefined
  /** The port of the first of them. */
  readonly port: number | undefined
  /** Jobs: queued, running, and not yet due. Throws `SHUTDOWN` once it has been stopped. */
  readonly jobs: number
  /** Connections, those of this process included. Throws `SHUTDOWN` once it has been stopped. */
  readonly connections: number
  unref(): this
  ref(): this
  /**
   * Stops it. Without `deadline` at once; with it, when the jobs that run have ended or so many ms have passed. True where
   * nothing was running any more. Jobs that are queued are lost unless `store` keeps them. Who is connected loses the connection.
   */
  stop(options?: { deadline?: number }): Promise<boolean>
  [Symbol.asyncDispose](): Promise<void>
}

// ---------------------------------------------------------------------------------------------------------------- Client

export interface ClientOptions {
  /** How long one attempt to reach one address may take, in ms. Default 5000. */
  connectTimeout?: number
  /** How long a client that has lost its connection tries the servers again before a request fails, in ms. Default 5000. */
  reconnectWithin?: number
  /** How long a server may be silent while it owes an answer, in ms. Default 30,000. */
  answerTimeout?: number
  /** How long a foreground task may take, in ms. Default: without limit. */
  taskTimeout?: number
  /** Whether failures with an exception arrive as exceptions. Default true. */
  exceptions?: boolean
  /** Requests that may wait for their direct answer before further ones are held back. Default 1024. */
  maxUnanswered?: number
  /** Bytes of events that a task may leave unread before it ends with `DATA_TOO_LARGE`. Default 256 MiB. */
  maxUnread?: number
  /** Bytes that may wait to be written before further requests are held back. Default 4 MiB. */
  maxUnsent?: number
  /** Bytes of workloads that may be held back before a submission fails with `JOB_QUEUE_FULL`. Default 256 MiB. */
  maxWaiting?: number
  /** Bytes of a result that comes in pieces, before its task ends with `DATA_TOO_LARGE`. Default 256 MiB. */
  maxResult?: number
}

export interface SubmitOptions extends Signalled {
  /** Default `'normal'`, which is all that jobs with a time, a schedule or a reducer can have. */
  priority?: 'high' | 'normal' | 'low'
  /** Submissions of one function with the same unique are one job while it lives. `true`: the workload is the unique. */
  unique?: string | true
  /** Nobody waits for the result: the task is over, with the handle as its result, when the server has the job. */
  background?: boolean
  /** To run from then on, to the second, in the background: a Date, or ms since 1970. */
  runAt?: Date | number
  /** To run when so many ms have passed, to the second and never earlier, in the background. */
  delay?: number
  /**
   * To run again and again by a cron line of five fields, in the background, until it is cancelled. The day of the week counts
   * from 0 = **Monday**, as the Gearman protocol has it. gearmand refuses such jobs.
   */
  schedule?: string
  /** A map/reduce job: the function that the worker submits the pieces to. */
  reducer?: string
  /** How long the task may take, in ms; then it ends with `TIMEOUT` while the job may run on. */
  timeout?: number
}

/** Options that put a job into the background. */
export type BackgroundOptions = SubmitOptions &
  ({ background: true } | { runAt: Date | number } | { delay: number } | { schedule: string })

export type Submission = SubmitOptions & { function: string; workload?: Bytes }

/** A job that the server has. */
export interface Submitted {
  handle: string
  task: Task<Buffer | string>
}

export interface WindowOptions extends Signalled {
  /** Jobs under way at once. Default 1024. */
  inFlight?: number
}

export interface JobStatus {
  /** The server has the job. */
  known: boolean
  running: boolean
  numerator: number
  denominator: number
  /** How many submissions wait for it; only `statusByUnique` tells. */
  clients?: number
}

/** Several servers: the first that can be reached is used. */
export class Client implements AsyncDisposable {
  /** Connects with the first request. Default server: `127.0.0.1:4730`. */
  constructor(servers?: Servers, options?: ClientOptions)
  /** Connects now. */
  connect(options?: Signalled): Promise<void>
  /** Submits a job. Await the task for its result; a background job's result is its handle. */
  submit(name: string, workload: Bytes, options: BackgroundOptions): Task<string>
  submit(name: string, workload?: Bytes, options?: SubmitOptions & { background?: false }): Task<Buffer>
  submit(name: string, workload?: Bytes, options?: SubmitOptions): Task<Buffer | string>
  /**
   * Submits many jobs; at most `inFlight` wait for the server's answer, and the next job is asked for when there is room.
   * Iterated: handles and tasks, in order, as the server takes the jobs. Awaited: all of them. The first refusal is thrown.
   */
  submitMany(
    jobs: Iterable<Submission> | AsyncIterable<Submission>,
    options?: WindowOptions,
  ): AsyncIterable<Submitted> & PromiseLike<Submitted[]>
  /** Runs a foreground job for each workload, at most `inFlight` at once; the results in the order of the workloads. */
  map(
    name: string,
    workloads: Iterable<Bytes> | AsyncIterable<Bytes>,
    options?: SubmitOptions & { background?: false } & WindowOptions,
  ): AsyncGenerator<Buffer, void, undefined>
  /** How a job stands; all false and 0 where the server does not know it. */
  status(handle: string, options?: Signalled): Promise<JobStatus>
  /** How the job with this unique stands, whatever its function. */
  statusByUnique(unique: string, options?: Signalled): Promise<JobStatus>
  /** Sends bytes to the server and compares what comes back. */
  echo(data: Bytes, options?: Signalled): Promise<void>
  /**
   * Ends the connection. Background jobs are handed over to the server first, for at most `deadline` ms (default 5000); who
   * waits for another task hears `SHUTDOWN`.
   */
  close(options?: { deadline?: number }): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export type TaskEvent<Result = Buffer | string> =
  | { type: 'data'; data: Buffer }
  | { type: 'warning'; data: Buffer }
  | { type: 'status'; numerator: number; denominator: number }
  | { type: 'complete'; data: Result }

export interface TaskEvents<Result> {
  created: [handle: string]
  data: [data: Buffer]
  warning: [data: Buffer]
  status: [numerator: number, denominator: number]
  complete: [result: Result]
  error: [error: LineshaftError]
}

/**
 * A submitted job: awaitable for its result, async-iterable for its events, and an EventEmitter. Pieces of data that an iterator
 * or a listener has taken are not in the result. A task that nobody awaits fails silently: no rejection goes unhandled.
 */
export class Task<Result = Buffer> extends EventEmitter implements Promise<Result> {
  private constructor()
  readonly [Symbol.toStringTag]: string
  /** The server's name for the job; undefined until it is known. */
  readonly handle: string | undefined
  readonly background: boolean
  /** Nothing more will come. */
  readonly over: boolean
  /** Waits until the server has the job; its handle. */
  created(): Promise<string>
  /** Stops waiting, with `error` (default: an AbortError). The job may run all the same. */
  cancel(error?: LineshaftError): void
  then<A = Result, B = never>(
    fulfilled?: ((value: Result) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B>
  catch<B = never>(rejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<Result | B>
  finally(callback?: (() => void) | null): Promise<Result>
  [Symbol.asyncIterator](): AsyncIterableIterator<TaskEvent<Result>>
  on<Name extends keyof TaskEvents<Result>>(name: Name, listener: (...event: TaskEvents<Result>[Name]) => void): this
  once<Name extends keyof TaskEvents<Result>>(name: Name, listener: (...event: TaskEvents<Result>[Name]) => void): this
  off<Name extends keyof TaskEvents<Result>>(name: Name, listener: (...event: TaskEvents<Result>[Name]) => void): this
}

// ---------------------------------------------------------------------------------------------------------------- Worker

export interface WorkerOptions {
  /** Jobs at once, on each server. Default 1. */
  concurrency?: number
  /** The name that the admin command `workers` shows. */
  clientId?: string
  /** How long one attempt to reach a server may take, in ms. Default 5000. */
  connectTimeout?: number
  /** How long a server may be silent while it owes an answer, in ms. Default 30,000. */
  answerTimeout?: number
  /** Bytes that may wait to be written before reports of jobs have to wait. Default 4 MiB. */
  maxUnsent?: number
  /**
   * How often a job whose `signal` is in use asks its server whether it still exists, in ms; Gearman tells workers nothing when a
   * job is cancelled. Default 1000; 0 never asks.
   */
  cancelCheck?: number
}

export interface FunctionOptions {
  /** After so many ms the server gives the job to somebody else. Servers count whole seconds, at least one. */
  timeout?: number
}

/** Serves all its servers; one that is away is tried again and hinders nobody. */
export class Worker extends EventEmitter implements AsyncDisposable {
  /** Default server: `127.0.0.1:4730`. */
  constructor(servers?: Servers, options?: WorkerOptions)
  /** Can be set before the start. */
  concurrency: number
  readonly running: boolean
  /**
   * Adds a function, before the start. What it throws becomes the job's exception (WORK_EXCEPTION, the error's message); a
   * {@link JobFailed} becomes WORK_FAIL.
   */
  function(name: string, run: (job: Job) => Bytes | void | Promise<Bytes | void>, options?: FunctionOptions): this
  /** Works from now on, until it is stopped. It keeps the process alive. */
  start(): Promise<this>
  /**
   * Takes no new jobs, finishes what runs, and ends. After `deadline` ms (default 30,000) the signals of jobs that still run are
   * aborted, and the jobs handed back to their servers.
   */
  stop(options?: { deadline?: number }): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
  /** Trouble with a server: it cannot be reached, its connection is lost, it complains of a result that came too late. */
  on(name: 'error', listener: (error: LineshaftError, address: string) => void): this
  on(name: 'stopped', listener: () => void): this
  once(name: 'error', listener: (error: LineshaftError, address: string) => void): this
  once(name: 'stopped', listener: () => void): this
}

/** A job, as the function that does it sees it. */
export interface Job {
  readonly function: string
  readonly workload: Buffer
  readonly handle: string
  readonly unique: string | undefined
  readonly reducer: string | undefined
  /**
   * Aborted when nobody will take the result any more. The reason is a LineshaftError: `TIMEOUT` (the function's time is over),
   * `JOB_NOT_FOUND` (cancelled), `LOST_CONNECTION` (given to somebody else), `SHUTDOWN` (the worker's deadline has passed).
   */
  readonly signal: AbortSignal
  /** Sends a piece of the result. Resolves when it is on its way: await it, and a slow connection slows the function down. */
  sendData(data: Bytes): Promise<void>
  /** Sends something that people should know. */
  sendWarning(data: Bytes): Promise<void>
  /** Says how far the job has come, in units of the function's own choice. */
  sendStatus(numerator: number, denominator: number): Promise<void>
}

// ----------------------------------------------------------------------------------------------------------------- Admin

export interface AdminOptions {
  /** In ms. Default 5000. */
  connectTimeout?: number
  /** How long the server may take for one answer, in ms. Default 30,000. */
  answerTimeout?: number
  /** The largest answer, in bytes. Default 256 MiB. */
  maxAnswer?: number
}

/** The text protocol of one server. */
export class Admin {
  constructor(server?: string | Server, options?: AdminOptions)
  status(options?: Signalled): Promise<{ function: string; total: number; running: number; workers: number }[]>
  priorityStatus(
    options?: Signalled,
  ): Promise<{ function: string; high: number; normal: number; low: number; workers: number }[]>
  workers(
    options?: Signalled,
  ): Promise<{ descriptor: number; address: string; clientId: string; functions: string[] }[]>
  jobs(options?: Signalled): Promise<{ handle: string; retries: number; ignored: boolean; persisted: boolean }[]>
  schedules(options?: Signalled): Promise<
    {
      handle: string
      function: string
      unique: string | undefined
      fields: string
      next: Date | undefined
      fired: number
      skipped: number
    }[]
  >
  uniqueJobs(options?: Signalled): Promise<string[]>
  version(options?: Signalled): Promise<string>
  getpid(options?: Signalled): Promise<number>
  verbose(options?: Signalled): Promise<string>
  /** Cancels a job, or ends a schedule. Who waits for the job hears that it failed. */
  cancel(handle: string, options?: Signalled): Promise<void>
  createFunction(name: string, options?: Signalled): Promise<void>
  dropFunction(name: string, options?: Signalled): Promise<void>
  /** Limits the jobs of a function; nothing lifts the limit. */
  maxQueue(name: string, jobs?: number | null, options?: Signalled): Promise<void>
  /** Any command; the lines of its answer. */
  command(line: string, options?: Signalled): Promise<string[]>
}
