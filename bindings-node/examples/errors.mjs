// What can go wrong has a code; what takes too long has a signal.
import { Server, Client, Worker, LineshaftError, JobFailed } from 'lineshaft';

const server = await Server.start();
const worker = new Worker(server, { concurrency: 3 });
worker.function('throws', () => { throw new Error('out of paper'); });
worker.function('fails', () => { throw new JobFailed(); });
worker.function('hangs', (job) => new Promise((resolve) => job.signal.addEventListener('abort', () => resolve())));
await worker.start();

const client = new Client(server);
for (const submit of [
  () => client.submit('throws'),
  () => client.submit('fails'),
  () => client.submit('hangs', '', { timeout: 50 }),
  () => client.submit('hangs', '', { signal: AbortSignal.timeout(50) }),
]) {
  try {
    await submit();
  } catch (error) {
    console.log(error instanceof LineshaftError, error.code, error.data ? String(error.data) : '');
  }
}
await client.close(); await worker.stop({ deadline: 0 }); await server.stop();
