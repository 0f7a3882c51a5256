import lineshaft from './index.cjs'

export const { Server, Client, Worker, Admin, LineshaftError, JobFailed } = lineshaft
