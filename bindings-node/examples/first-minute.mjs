import { Server, Client, Worker } from 'lineshaft';

const server = await Server.start();                // a real broker in this process, on a free port
const worker = new Worker(server);                  // or 'host:port', a list of them, or nothing: 127.0.0.1:4730
worker.function('reverse', async (job) => Buffer.from(job.workload).reverse());
await worker.start();

const client = new Client(server);
const result = await client.submit('reverse', Buffer.from('abc'));   // Buffer 'cba'
await client.close(); await worker.stop(); await server.stop();

console.log(String(result));
