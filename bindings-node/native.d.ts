// Made by `npm run generate` from the sources of the native half; not to be edited.

/** A row of the table of errors. */
export interface ErrorRow {
  /** The stable name, which JavaScript's errors carry as their `code`. */
  code: string
  /** libgearman's number. */
  number: number
  /** One sentence for people. */
  description: string
  /** Whether the same request may succeed when it is made again. */
  retryable: boolean
}

/** What an event is about, and in the comments which items follow. */
export declare enum Kind {
  /** The operation has succeeded: its value. */
  Done = 0,
  /** The operation has failed: code, message, data, handle. */
  Failed = 1,
  /** The server has the job: handle. */
  Created = 2,
  /** A piece of the result: bytes. */
  Data = 3,
  /** A warning: bytes. */
  Warning = 4,
  /** Progress: numerator, denominator. */
  Status = 5,
  /** The job has ended well: bytes, handle. */
  Complete = 6,
  /** A worker has a job: number, function, workload, handle, unique, reducer. */
  Job = 7,
  /** A worker has broken a job off: number. */
  BrokenOff = 8,
  /** A worker has trouble with a server: address, code, message. */
  Trouble = 9,
  /** A worker has ended. */
  Ended = 10
}

/** The executor of a JavaScript thread. One of them is enough for a thread. */
export declare class Loop {
  /** `wake` is called when [`Loop::run`] has something to do. It does not keep the process alive. */
  constructor(wake: () => void)
  /** Goes on with what is ready; answers the events. */
  run(): unknown[]
  /** Ends an operation without an event. */
  remove(id: number): void
  /**
  * From now on the task tells when the server has the job, and with `events` every other event. Answers what it has to
  * tell already.
  */
  listen(id: number, events: boolean): unknown[]
  /** Whether the task is to hold its events back. */
  pause(id: number, paused: boolean): void
}

/** An admin client. Its commands are sent one after the other. */
export declare class NativeAdmin {
  /** An admin client of the one server in `places`. */
  constructor(executor: Loop, places: Array<string | NativeServer>, options: NativeAdminOptions)
  /** All functions: name, total, running, workers. */
  status(): number
  /** All functions: name, high, normal, low, workers. */
  priorityStatus(): number
  /** All connections: descriptor, address, client id, functions. */
  workers(): number
  /** All jobs: handle, retries, ignored, persisted. */
  jobs(): number
  /** All schedules: handle, function, unique, fields, next (a Unix second), fired, skipped. */
  schedules(): number
  /** The uniques of all jobs. */
  uniqueJobs(): number
  /** The server's version. */
  version(): number
  /** The server's process id. */
  getpid(): number
  /** How much the server logs. */
  verbose(): number
  /** Cancels a job, or ends a schedule. */
  cancel(handle: string): number
  /** Makes a function known. */
  createFunction(name: string): number
  /** Lets the server forget a function. */
  dropFunction(name: string): number
  /** Limits the jobs of a function; nothing lifts the limit. */
  maxQueue(name: string, jobs?: number | undefined | null): number
  /** Any command: its lines. */
  command(line: string): number
}

/** Options of an admin client; times in milliseconds, sizes in bytes. */
export interface NativeAdminOptions {
  connectTimeout?: number
  answerTimeout?: number
  maxAnswer?: number
}

/** A client. */
export declare class NativeClient {
  /** A client of `places`. It does not connect yet. */
  constructor(executor: Loop, places: Array<string | NativeServer>, options: NativeClientOptions)
  /** Submits a job; answers the id of its events. */
  submit(name: string, workload: Buffer, rest?: NativeSubmission | undefined | null): number
  /** Connects now. */
  connect(): number
  /** How a job stands: known, running, numerator, denominator. */
  status(handle: string): number
  /** As [`NativeClient::status`], and how many submissions wait for it. */
  statusByUnique(unique: string): number
  /** Sends bytes there and back. */
  echo(data: Buffer): number
  /** No more requests; the connection ends when the tasks have been removed. */
  close(): void
}

/** Options of a client; times in milliseconds, sizes in bytes. */
export interface NativeClientOptions {
  connectTimeout?: number
  reconnectWithin?: number
  answerTimeout?: number
  taskTimeout?: number
  exceptions?: boolean
  maxUnanswered?: number
  maxUnread?: number
  maxUnsent?: number
  maxWaiting?: number
  maxResult?: number
}

/** A function of a worker. */
export interface NativeFunction {
  name: string
  /** Milliseconds. */
  timeout?: number
}

/** A server in this process. */
export declare class NativeServer {
  /** A server that has not been started. */
  constructor()
  /** Starts it; the event's value is the list of addresses. */
  start(executor: Loop, options: NativeServerOptions): number
  /**
  * Stops it: at once, or when the jobs that run have ended, or the deadline (milliseconds) has passed. The event's value
  * tells whether nothing was running any more.
  */
  stop(executor: Loop, deadline?: number | undefined | null): number
  /** What there is: jobs, connections. */
  counts(): Array<number> | null
}

/** Settings of a server; times in milliseconds, sizes in bytes. */
export interface NativeServerOptions {
  /** Addresses; none at all for a server without sockets. */
  listen: Array<string>
  threads?: number
  /** `1.1` or `2.0`. */
  compat?: string
  exceptions?: boolean
  jobRetries?: number
  handlePrefix?: string
  workerWakeup?: number
  wakeGrace?: number
  maxQueueBytes?: number
  maxFunctionBytes?: number
  /** An address of a store; `memory` or nothing for none. */
  store?: string
}

/** What a submission says beside function and workload; times in milliseconds. */
export interface NativeSubmission {
  /** 0 high, 1 normal, 2 low. */
  priority?: number
  background?: boolean
  unique?: string
  /** The workload is the unique. */
  uniqueWorkload?: boolean
  /** A Unix second. */
  runAt?: number
  delay?: number
  schedule?: string
  reducer?: string
  timeout?: number
  /** Tell when the server has it. */
  tellCreated?: boolean
}

/** A worker, from its start. */
export declare class NativeWorker {
  /** A worker that works from now on. Its functions are numbered as they stand. */
  constructor(executor: Loop, places: Array<string | NativeServer>, functions: Array<NativeFunction>, options: NativeWorkerOptions)
  /** The id of its events. */
  get id(): number
  /** The job has been done. False where it has been broken off meanwhile. */
  complete(job: number, result: Buffer): boolean
  /** The job has failed; without bytes nothing is said about it. */
  fail(job: number, exception?: Buffer | undefined | null): boolean
  /** Sends a piece of the result. Answers nothing where that is done, and else the id of its event. */
  sendData(job: number, data: Buffer): number | null
  /** Sends a warning; as [`NativeWorker::send_data`]. */
  sendWarning(job: number, data: Buffer): number | null
  /** Says how far the job has come; as [`NativeWorker::send_data`]. */
  sendStatus(job: number, numerator: number, denominator: number): number | null
  /** Its event comes when the connection of the job has been lost, or never. */
  lost(job: number): number
  /** How the job stands with the server that it came from; see `NativeClient.status`. */
  jobStatus(job: number): number
  /** Takes no new jobs; what still runs after `grace` (milliseconds) is broken off. */
  stop(grace: number): void
}

/** Options of a worker; times in milliseconds, sizes in bytes. */
export interface NativeWorkerOptions {
  concurrency?: number
  clientId?: string
  connectTimeout?: number
  answerTimeout?: number
  maxUnsent?: number
}

/** Every kind of error. */
export declare function errorKinds(): Array<ErrorRow>
