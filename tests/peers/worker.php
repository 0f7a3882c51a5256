<?php
// A worker that stands on php-gearman, and so on libgearman. Its functions are those of worker.pl. usage: worker.php PORT

$functions = [
    'echo' => fn($job) => $job->workload(),
    'count' => fn($job) => (string)$job->workloadSize(),
    'content' => fn($job) => file_get_contents($job->workload()),
    'log' => function ($job) {
        echo 'log ', $job->workload(), "\n";
        return 'logged';
    },
    'empty' => fn($job) => '',
    'data' => function ($job) {
        $job->sendData('one,');
        $job->sendData('two,');
        return 'three';
    },
    'warning' => function ($job) {
        $job->sendWarning('careful');
        return 'done';
    },
    'progress' => function ($job) {
        $job->sendStatus(1, 4);
        $job->sendStatus(2, 4);
        return 'done';
    },
    'fail' => function ($job) {
        $job->sendFail();
    },
    'exception' => function ($job) {
        $job->sendException('boom');
    },
    'hold' => function ($job) {
        $job->sendStatus(1, 4);
        // The test makes the file; nothing tells of it.
        for ($path = $job->workload(); !file_exists($path); clearstatcache()) {
            usleep(5000);
        }
        return 'released';
    },
];

$worker = new GearmanWorker();
$worker->addServer('127.0.0.1', (int)$argv[1]);
ksort($functions);
foreach ($functions as $name => $function) {
    $worker->addFunction($name, $function);
}
while (true) {
    // While the server is away every call fails at once.
    if (!@$worker->work() && $worker->returnCode() === GEARMAN_COULD_NOT_CONNECT) {
        usleep(50000);
    }
}
