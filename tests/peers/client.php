<?php
// A client that stands on php-gearman, and so on libgearman. Usage and output are those of client.pl.

function say(string ...$words): void { echo implode(' ', $words), "\n"; }

[$port, $action] = [(int)$argv[1], $argv[2]];
$client = new GearmanClient();
$client->setTimeout(60000);
// Asks for exceptions at once: the extension does so by itself, whatever the job wants.
$client->addServer('127.0.0.1', $port);

if ($action === 'status') {
    say('status', ...array_map(fn($value) => (string)(int)$value, $client->jobStatus($argv[3])));
    exit(0);
}

$function = $argv[3];
$word = [];
foreach (array_slice($argv, 4) as $text) {
    [$name, $value] = explode('=', $text . '=', 3);
    $word[$name] = $value;
}
// libgearman refuses a workload that is there and empty, and the extension cannot leave it out.
$workload = stream_get_contents(STDIN) ?: 'nothing';
$unique = $word['unique'] ?? null;
$level = ucfirst($word['priority'] ?? '');

if (isset($word['background'])) {
    $submit = "do{$level}Background";
    $handle = $client->$submit($function, $workload, $unique);
    if ($client->returnCode() !== GEARMAN_SUCCESS) {
        fwrite(STDERR, $client->error() . "\n");
        exit(1);
    }
    say('created', $handle);
    exit(0);
}

$ended = false;
$end = function (string $event, string $data = '') use (&$ended) {
    say($event, bin2hex($data));
    $ended = true;
};
$client->setCreatedCallback(fn($task) => say('created', $task->jobHandle()));
$client->setDataCallback(fn($task) => say('data', bin2hex($task->data())));
$client->setWarningCallback(fn($task) => say('warning', bin2hex($task->data())));
$client->setStatusCallback(fn($task) => say('progress', $task->taskNumerator(), $task->taskDenominator()));
$client->setCompleteCallback(fn($task) => $end('complete', (string)$task->data()));
// Who does not want to hear of exceptions hears of a failure.
$client->setExceptionCallback(
    fn($task) => isset($word['exceptions']) ? $end('exception', (string)$task->data()) : $end('fail')
);
$client->setFailCallback(fn($task) => $end('fail'));

$add = 'addTask' . $level;
$client->$add($function, $workload, null, $unique);
if (!$client->runTasks() || !$ended) {
    fwrite(STDERR, $client->error() . "\n");
    exit(1);
}
