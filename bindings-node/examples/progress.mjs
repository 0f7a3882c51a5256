// Follows a job: its pieces, its warnings, how far it is.
import { Server, Client, Worker } from 'lineshaft';

const server = await Server.start();
const worker = new Worker(server);
worker.function('count', async (job) => {
  const last = Number(String(job.workload));
  for (let i = 1; i <= last; i += 1) {
    await job.sendData(`${i} `);
    await job.sendStatus(i, last);
  }
  return 'done';
}, { timeout: 60_000 });
await worker.start();

const client = new Client(server);
for await (const event of client.submit('count', '3')) {
  if (event.type === 'data') console.log('piece', String(event.data));
  if (event.type === 'status') console.log(`${event.numerator} of ${event.denominator}`);
  if (event.type === 'complete') console.log(String(event.data));
}
await client.close(); await worker.stop(); await server.stop();
