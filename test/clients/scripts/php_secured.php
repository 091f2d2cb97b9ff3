<?php
/** php-memcached with passwords; it has no TLS: php_secured.php text|binary PORT USER PASSWORD */

declare(strict_types=1);

[, $protocol, $port, $user, $password] = $argv;

function check(string $what, mixed $actual, mixed $expected): void
{
    if ($actual !== $expected) {
        $show = fn (mixed $value): string => substr(var_export($value, true), 0, 200);
        fwrite(STDERR, "$what: {$show($actual)} instead of {$show($expected)}\n");
        exit(1);
    }
}

/** A client that authenticates by SASL, or, in the text protocol, by a set: libmemcached knows no better there. */
function connect(?string $password): Memcached
{
    global $protocol, $port, $user;
    $client = new Memcached();
    $client->setOptions([Memcached::OPT_BINARY_PROTOCOL => $protocol === 'binary', Memcached::OPT_TCP_NODELAY => true, Memcached::OPT_COMPRESSION => false]);
    if ($password !== null && $protocol === 'binary') {
        $client->setSaslAuthData($user, $password);
    }
    $client->addServer('127.0.0.1', (int) $port);
    if ($password !== null && $protocol === 'text') {
        $client->set('login', "$user $password");
    }
    return $client;
}

check('no password', connect(null)->set('a', 'x'), false);
check('wrong password', connect('wrong')->set('a', 'x'), false);
echo "ok refused without password\n";

$client = connect($password);
check('set', $client->set('a', 'one'), true);
check('get', $client->get('a'), 'one');
$items = [];
for ($i = 0; $i < 500; $i++) {
    $items["m$i"] = $i;
}
check('setMulti', $client->setMulti($items), true);
check('getMulti', $client->getMulti(array_keys($items)), $items);
echo "ok set get setMulti getMulti behind a password\n";
