<?php
/** php-memcached against two servers: php_memcached.php use|again text|binary PORT PORT */

declare(strict_types=1);

[, $phase, $protocol, $portA, $portB] = $argv;
$binary = $protocol === 'binary';
$noise = '';
for ($i = 0; $i < 900_000; $i++) {
    $noise .= chr(($i * $i * 7919 >> 7) & 255);
}
$longKey = str_repeat('k', 250);

function check(string $what, mixed $actual, mixed $expected): void
{
    if ($actual !== $expected) {
        $show = fn (mixed $value): string => substr(var_export($value, true), 0, 200);
        fwrite(STDERR, "$what: {$show($actual)} instead of {$show($expected)}\n");
        exit(1);
    }
}

function done(string $what): void
{
    // Not echo: sessions cannot begin behind output of the page.
    fwrite(STDOUT, "ok $what\n");
}

/** Waits for what no server announces: that a second has passed. */
function soon(string $what, callable $probe): void
{
    $end = microtime(true) + 5;
    while (!$probe()) {
        check($what, microtime(true) < $end, true);
        usleep(50_000);
    }
}

/** @param list<string> $ports */
function connect(array $ports, array $options = []): Memcached
{
    global $binary;
    $client = new Memcached();
    $client->setOptions([Memcached::OPT_BINARY_PROTOCOL => $binary, Memcached::OPT_TCP_NODELAY => true] + $options);
    foreach ($ports as $port) {
        $client->addServer('127.0.0.1', (int) $port);
    }
    return $client;
}

function result(Memcached $client, mixed $value): array
{
    return [$value, $client->getResultCode()];
}

function storage(Memcached $client): void
{
    global $longKey;
    check('set', $client->set('a', 'one'), true);
    check('get', $client->get('a'), 'one');
    check('add, present', result($client, $client->add('a', 'two')), [false, $GLOBALS['binary'] ? Memcached::RES_DATA_EXISTS : Memcached::RES_NOTSTORED]);
    check('add, absent', $client->add('b', 'two'), true);
    check('replace, present', $client->replace('a', 'three'), true);
    check('replace, absent', result($client, $client->replace('nothing', 'x')), [false, $GLOBALS['binary'] ? Memcached::RES_NOTFOUND : Memcached::RES_NOTSTORED]);
    $client->setOption(Memcached::OPT_COMPRESSION, false);
    check('append', $client->append('a', '!'), true);
    check('prepend', $client->prepend('a', '?'), true);
    check('append, absent', result($client, $client->append('nothing', '!')), [false, Memcached::RES_NOTSTORED]);
    check('joined', $client->get('a'), '?three!');
    check('delete', $client->delete('a'), true);
    check('delete, absent', result($client, $client->delete('a')), [false, Memcached::RES_NOTFOUND]);
    check('get, absent', result($client, $client->get('a')), [false, Memcached::RES_NOTFOUND]);
    foreach (['text' => "\0\r\n\xff", 'empty' => '', 'int' => 42, 'float' => 2.5, 'bool' => false, 'null' => null, 'array' => ['a' => [1, 'x']]] as $name => $value) {
        check("kind $name", [$client->set($name, $value), $client->get($name)], [true, $value]);
    }
    foreach ([Memcached::SERIALIZER_IGBINARY => Memcached::HAVE_IGBINARY, Memcached::SERIALIZER_MSGPACK => Memcached::HAVE_MSGPACK] as $serializer => $have) {
        if (!$have) {
            continue;
        }
        $client->setOption(Memcached::OPT_SERIALIZER, $serializer);
        check('serialized', [$client->set('s', ['list' => [1, null]]), $client->get('s')], [true, ['list' => [1, null]]]);
    }
    $client->setOption(Memcached::OPT_SERIALIZER, Memcached::SERIALIZER_PHP);
    check('long key', [$client->set($longKey, 'long'), $client->get($longKey)], [true, 'long']);
    $prefixed = connect([$GLOBALS['portA']], [Memcached::OPT_PREFIX_KEY => 'pre:']);
    check('prefix', [$prefixed->set('a', 'x'), $prefixed->get('a'), $client->get('pre:a')], [true, 'x', 'x']);
    $client->setOption(Memcached::OPT_USER_FLAGS, 0x1234);
    $client->set('flagged', 'x');
    check('user flags', $client->get('flagged', null, Memcached::GET_EXTENDED)['flags'], 0x1234);
    $client->setOption(Memcached::OPT_USER_FLAGS, -1);
    check('read through', $client->get('through', function (Memcached $_, string $key, mixed &$value): bool {
        $value = "made for $key";
        return true;
    }), 'made for through');
    check('after reading through', $client->get('through'), 'made for through');
    done('set get add replace append prepend delete, kinds of values, user flags, keys of 250 bytes, prefix, read-through');
}

function counting(Memcached $client): void
{
    global $binary;
    $client->set('n', 10);
    check('increment', $client->increment('n', 5), 15);
    check('decrement', $client->decrement('n', 20), 0);
    check('increment, absent', result($client, $client->increment('none', 1)), [false, Memcached::RES_NOTFOUND]);
    if ($binary) {
        check('increment from an initial value', [$client->increment('fresh', 5, 100), $client->increment('fresh', 5, 100)], [100, 105]);
        check('decrement from an initial value', [$client->decrement('fresh2', 5, 100, 1000), $client->decrement('fresh2', 5, 100)], [100, 95]);
    }
    $client->set('word', 'word');
    check('increment of a word', $client->increment('word'), false);
    check('alive after that', $client->get('word'), 'word');
    done('increment decrement' . ($binary ? ', from an initial value' : ''));
}

function many(Memcached $client): void
{
    $items = [];
    for ($i = 0; $i < 500; $i++) {
        $items["m$i"] = "value $i";
    }
    check('setMulti', $client->setMulti($items, 100), true);
    check('getMulti', count($client->getMulti([...array_keys($items), 'nothing'])), 500);
    check('getMulti in order', $client->getMulti(['m3', 'nothing', 'm1'], Memcached::GET_PRESERVE_ORDER), ['m3' => 'value 3', 'nothing' => null, 'm1' => 'value 1']);
    $client->getDelayed(['m1', 'm2', 'm3'], true);
    $seen = $client->fetchAll();
    usort($seen, fn (array $a, array $b): int => $a['key'] <=> $b['key']);
    check('getDelayed', array_column($seen, 'value', 'key'), ['m1' => 'value 1', 'm2' => 'value 2', 'm3' => 'value 3']);
    check('its cas uniques', count(array_unique(array_column($seen, 'cas'))), 3);
    $gone = $client->deleteMulti(array_keys($items));
    check('deleteMulti', array_unique(array_values($gone)), [true]);
    check('getMulti of what is gone', $client->getMulti(array_keys($items)), []);
    done('setMulti getMulti getDelayed deleteMulti, 500 items');
}

function cas(Memcached $client): void
{
    global $portA;
    $client->set('c', 'one');
    $seen = $client->get('c', null, Memcached::GET_EXTENDED);
    check('cas', $client->cas($seen['cas'], 'c', 'two'), true);
    check('cas, used before', result($client, $client->cas($seen['cas'], 'c', 'three')), [false, Memcached::RES_DATA_EXISTS]);
    check('value after cas', $client->get('c'), 'two');
    $client->set('sum', 0);
    $client->set('count', 0);
    // A child that ends would say goodbye on its parent's connection.
    $client->quit();
    $children = [];
    for ($child = 0; $child < 4; $child++) {
        $pid = pcntl_fork();
        if ($pid !== 0) {
            $children[] = $pid;
            continue;
        }
        $own = connect([$portA]);
        for ($i = 0; $i < 50; $i++) {
            do {
                $seen = $own->get('sum', null, Memcached::GET_EXTENDED);
            } while (!$own->cas($seen['cas'], 'sum', $seen['value'] + 1));
            $own->increment('count', 3);
        }
        exit(0);
    }
    foreach ($children as $pid) {
        pcntl_waitpid($pid, $status);
        check('child', $status, 0);
    }
    check('sum of cas', $client->get('sum'), 200);
    check('sum of increment', (int) $client->get('count'), 600);
    done('cas; 4 processes add up to 200 by cas and to 600 by increment');
}

function sizes(Memcached $client): void
{
    global $noise, $portA;
    $client->setOption(Memcached::OPT_COMPRESSION, true);
    check('set of 900 KB', $client->set('big', $noise), true);
    check('get of 900 KB', $client->get('big') === $noise, true);
    $text = str_repeat('compressible ', 50_000);
    foreach ([Memcached::COMPRESSION_FASTLZ, Memcached::COMPRESSION_ZLIB] as $type) {
        $client->setOption(Memcached::OPT_COMPRESSION_TYPE, $type);
        check('compressed', [$client->set("packed$type", $text), $client->get("packed$type") === $text], [true, true]);
    }
    $client->setOption(Memcached::OPT_COMPRESSION, false);
    for ($i = 0; $i < 5; $i++) {
        check('several of 900 KB', $client->set("big$i", $noise), true);
    }
    $found = $client->getMulti(['big0', 'big1', 'big2', 'big3', 'big4']);
    check('getMulti of 900 KB', [count($found), array_unique(array_map(fn (string $value): bool => $value === $noise, array_values($found)))], [5, [true]]);
    check('set of 2 MB', $client->set('large', $noise . $noise . $noise), false);
    check('alive after that', connect([$portA])->get('big') === $noise, true);
    done('900 KB values, alone and five at once; fastlz and zlib; too large refused');
}

function time_(Memcached $client): void
{
    // Two seconds: the first may be over at once, as seconds of the clock count.
    check('touch', [$client->set('touched', 'x', 2), $client->touch('touched', 100)], [true, true]);
    check('set with time', $client->set('short', 'x', 2), true);
    check('touch, absent', result($client, $client->touch('nothing', 100)), [false, Memcached::RES_NOTFOUND]);
    soon('expiry', fn (): bool => $client->get('short') === false);
    check('outlived by touch', $client->get('touched'), 'x');
    check('gone at once', [$client->touch('touched', 2_592_001), $client->get('touched')], [true, false]);
    done('expiry, touch');
}

function modes(): void
{
    global $portA, $binary;
    $quiet = connect([$portA], [Memcached::OPT_NOREPLY => true]);
    for ($i = 0; $i < 300; $i++) {
        $quiet->set("q$i", $i);
    }
    $quiet->delete('q0');
    $quiet->setOption(Memcached::OPT_NOREPLY, false);
    check('after noreply', [$quiet->get('q0'), $quiet->get('q299')], [false, 299]);

    $buffered = connect([$portA], [Memcached::OPT_BUFFER_WRITES => true]);
    for ($i = 0; $i < 300; $i++) {
        $buffered->set("u$i", str_repeat('buffered', 20));
    }
    check('flushBuffers', $buffered->flushBuffers(), true);
    // What was flushed is sent, not answered: only the same connection must see all of it.
    check('after buffering', count($buffered->getMulti(array_map(fn (int $i): string => "u$i", range(0, 299)))), 300);

    $unblocked = connect([$portA], [Memcached::OPT_NO_BLOCK => true]);
    check('without blocking', [$unblocked->set('b', 1), $unblocked->get('b')], [true, 1]);

    $pooled = new Memcached('pool');
    check('first of a persistent one', $pooled->isPristine(), true);
    $pooled->setOption(Memcached::OPT_BINARY_PROTOCOL, $binary);
    $pooled->addServer('127.0.0.1', (int) $portA);
    check('persistent', $pooled->get('q299'), 299);
    check('persistent, again', [(new Memcached('pool'))->isPristine(), (new Memcached('pool'))->get('q299')], [false, 299]);
    $client = connect([$portA]);
    for ($i = 0; $i < 20; $i++) {
        $client->quit();
        check('after connecting again', $client->get('q299'), 299);
    }
    done('noreply, buffered, without blocking, persistent, connected anew');
}

function distributed(): void
{
    global $portA, $portB;
    $both = connect([$portA, $portB], [Memcached::OPT_LIBKETAMA_COMPATIBLE => true]);
    $items = [];
    for ($i = 0; $i < 1000; $i++) {
        $items["d$i"] = $i;
    }
    check('setMulti over two', $both->setMulti($items), true);
    $found = $both->getMulti(array_keys($items));
    ksort($found);
    ksort($items);
    check('getMulti over two', $found, $items);
    $shares = array_map(fn (string $port): int => count(connect([$port])->getMulti(array_keys($items))), [$portA, $portB]);
    check('each item on one server', array_sum($shares), 1000);
    check('both take part', min($shares) > 200, true);
    check('by key of a server', [$both->setByKey('one', 'x1', 1), $both->setByKey('one', 'x2', 2), $both->getMultiByKey('one', ['x1', 'x2'])], [true, true, ['x1' => 1, 'x2' => 2]]);
    check('version of two', count($both->getVersion()), 2);
    done('two servers with ketama, ' . implode(' and ', $shares) . ' items');
}

function administration(Memcached $client): void
{
    global $portA;
    check('version', preg_match('/^1\.6\.\d+/', $client->getVersion()["127.0.0.1:$portA"]), 1);
    $stats = $client->getStats()["127.0.0.1:$portA"];
    check('stats', [isset($stats['curr_items'], $stats['cmd_get'], $stats['version']), $stats['pid'] > 0], [true, true]);
    $client->set('a', 'x');
    check('flush', [$client->flush(), $client->get('a')], [true, false]);
    done('version, stats, flush');
}

function sessions(Memcached $client): void
{
    global $binary, $portA, $phase;
    $client->quit();
    ini_set('session.save_handler', 'memcached');
    ini_set('session.save_path', "127.0.0.1:$portA");
    ini_set('session.use_cookies', '0');
    ini_set('session.cache_limiter', '');
    ini_set('memcached.sess_binary_protocol', $binary ? '1' : '0');
    ini_set('memcached.sess_locking', '1');
    ini_set('memcached.sess_lock_wait_min', '5');
    ini_set('memcached.sess_lock_wait_max', '20');
    ini_set('memcached.sess_lock_retries', '2000');
    $visit = function (string $id, callable $use): mixed {
        session_id($id);
        check('session_start', session_start(), true);
        $result = $use();
        check('session_write_close', session_write_close(), true);
        return $result;
    };
    if ($phase === 'again') {
        check('session after restart', $visit('kept', fn (): mixed => $_SESSION['user']), ['name' => 'x']);
        return;
    }
    check('new session', $visit('first', fn (): array => $_SESSION), []);
    $visit('first', function (): void {
        $_SESSION['count'] = 0;
        $_SESSION['text'] = str_repeat('x', 100_000);
    });
    // Each visit reads, waits and writes: without the lock some would be lost.
    $children = [];
    for ($child = 0; $child < 4; $child++) {
        $pid = pcntl_fork();
        if ($pid !== 0) {
            $children[] = $pid;
            continue;
        }
        for ($i = 0; $i < 10; $i++) {
            $visit('first', function (): void {
                $count = $_SESSION['count'];
                usleep(1000);
                $_SESSION['count'] = $count + 1;
            });
        }
        exit(0);
    }
    foreach ($children as $pid) {
        pcntl_waitpid($pid, $status);
        check('child', $status, 0);
    }
    check('visits under the lock', $visit('first', fn (): array => [$_SESSION['count'], strlen($_SESSION['text'])]), [40, 100_000]);
    session_id('first');
    session_start();
    check('a session in use is locked', connect([$portA])->get('memc.sess.key.lock.first'), '1');
    $new = (session_regenerate_id(true) ? session_id() : '');
    session_write_close();
    check('unlocked', connect([$portA])->get("memc.sess.key.lock.$new"), false);
    check('under its new id', $visit($new, fn (): int => $_SESSION['count']), 40);
    check('not under its old one', connect([$portA])->get('memc.sess.key.first'), false);
    session_id($new);
    session_start();
    session_destroy();
    check('destroyed', $visit($new, fn (): array => $_SESSION), []);
    $visit('kept', function (): void {
        $_SESSION['user'] = ['name' => 'x'];
    });
    done('sessions: locked, 4 processes count to 40, renewed, destroyed');
}

$client = connect([$portA]);
if ($phase === 'use') {
    connect([$portA, $portB])->flush();
    storage($client);
    counting($client);
    many($client);
    cas($client);
    sizes($client);
    time_($client);
    modes();
    distributed();
    administration($client);
    sessions($client);
    check('items to keep', [$client->set('kept', ['value' => 1], 1000), $client->set('kept-big', $noise), $client->set('kept-number', 41)], [true, true, true]);
    $both = connect([$portA, $portB], [Memcached::OPT_LIBKETAMA_COMPATIBLE => true]);
    for ($i = 0; $i < 100; $i++) {
        $both->set("kept$i", $i);
    }
    done('left items behind');
} else {
    check('item after restart', $client->get('kept'), ['value' => 1]);
    check('900 KB after restart', $client->get('kept-big') === $noise, true);
    check('increment after restart', $client->increment('kept-number'), 42);
    $both = connect([$portA, $portB], [Memcached::OPT_LIBKETAMA_COMPATIBLE => true]);
    for ($i = 0; $i < 100; $i++) {
        check("item $i of two servers after restart", $both->get("kept$i"), $i);
    }
    sessions($client);
    done('everything is there after a restart');
}
