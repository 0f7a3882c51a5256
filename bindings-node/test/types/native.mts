// The public types stand on those of the native half.
import type { ErrorRow, JobStatus, ServerOptions, SubmitOptions, WorkerOptions } from 'lineshaft'
import type * as native from '../../native.d.ts'

/** Every name of one is a name of the other. */
type Covered<Public, Native> = Exclude<keyof Public, keyof Native> extends never ? true : Exclude<keyof Public, keyof Native>

export const errors: Covered<ErrorRow, native.ErrorRow> = true
export const servers: Covered<ServerOptions, native.NativeServerOptions> = true
export const workers: Covered<Omit<WorkerOptions, 'cancelCheck'>, native.NativeWorkerOptions> = true
export const submissions: Covered<Omit<SubmitOptions, 'signal'>, native.NativeSubmission> = true
export type { JobStatus }
