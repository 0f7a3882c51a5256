// Many jobs: as many under way as there is room for, and no more.
import { Server, Client, Worker } from 'lineshaft';

const server = await Server.start();
const worker = new Worker(server, { concurrency: 32 }).function('double', (job) => String(2 * Number(String(job.workload))));
await worker.start();

function* numbers() {
  for (let i = 0; i < 10_000; i += 1) yield String(i);
}

const client = new Client(server);
let sum = 0;
for await (const result of client.map('double', numbers(), { inFlight: 500 })) sum += Number(String(result));
console.log(sum);

let handed = 0;
for await (const { handle } of client.submitMany(
  (function* () {
    for (const workload of numbers()) yield { function: 'later', workload, background: true };
  })(),
)) if (handle) handed += 1;
console.log(handed, server.jobs);
await client.close(); await worker.stop(); await server.stop();
