# Dalli against two servers: dalli_client.rb use|again binary PORT PORT

require 'dalli'

phase, _protocol, *ports = ARGV
SERVERS = ports.map { |port| "127.0.0.1:#{port}" }
NOISE = Array.new(900_000) { |i| (i * i * 7919 >> 7) & 255 }.pack('C*')
LONG_KEY = 'k' * 250

def check(what, actual, expected)
  return if actual == expected

  abort "#{what}: #{actual.inspect[0, 200]} instead of #{expected.inspect[0, 200]}"
end

def done(what)
  puts "ok #{what}"
  $stdout.flush
end

# Waits for what no server announces: that a second has passed.
def soon(what)
  ends = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 5
  until yield
    abort "#{what}: did not happen" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > ends
    sleep 0.05
  end
end

def connect(servers = SERVERS.take(1), **options)
  Dalli::Client.new(servers, socket_timeout: 10, **options)
end

# What it gives back for a store: the cas unique, or one of several signs of failure.
def stored(result)
  result.is_a?(Integer) && result.positive?
end

def storage(client)
  check 'set', stored(client.set('a', 'one')), true
  check 'get', client.get('a'), 'one'
  check 'add, present', stored(client.add('a', 'two')), false
  check 'add, absent', stored(client.add('b', 'two')), true
  check 'replace, present', stored(client.replace('a', 'three')), true
  check 'replace, absent', stored(client.replace('nothing', 'x')), false
  raw = { raw: true }
  client.set('r', 'middle', nil, raw)
  check 'append', client.append('r', '!'), true
  check 'prepend', client.prepend('r', '?'), true
  check 'append, absent', client.append('nothing', '!') || false, false
  check 'joined', client.get('r', raw), '?middle!'
  check 'delete', client.delete('a'), true
  check 'delete, absent', client.delete('a') || false, false
  check 'get, absent', client.get('a'), nil
  { 'empty' => '', 'number' => 42, 'list' => [1, 2.5, nil, { a: 'x' }], 'bytes' => "\0\r\n\xff".b }.each do |name, value|
    client.set(name, value)
    check "kind #{name}", client.get(name), value
  end
  client.set(LONG_KEY, 'long')
  check 'long key', client.get(LONG_KEY), 'long'
  client.set('schlüssel', 'x')
  check 'key of other letters', client.get('schlüssel'), 'x'
  spaced = connect(namespace: 'space')
  spaced.set('a', 'x')
  check 'namespace', client.get('space:a'), 'x'
  check 'fetch', client.fetch('made') { 'made here' }, 'made here'
  check 'fetch, present', client.fetch('made') { 'not again' }, 'made here'
  done 'set get add replace append prepend delete fetch, kinds of values, keys of 250 bytes, namespace'
end

def counting(client)
  client.set('n', '10', nil, raw: true)
  check 'incr', client.incr('n', 5), 15
  check 'decr', client.decr('n', 20), 0
  check 'incr, absent', client.incr('none', 1), nil
  check 'incr from an initial value', [client.incr('fresh', 5, 0, 100), client.incr('fresh', 5, 0, 100)], [100, 105]
  check 'decr from an initial value', [client.decr('fresh2', 5, 0, 100), client.decr('fresh2', 5, 0, 100)], [100, 95]
  check 'incr to the end', [client.incr('end', 1, 0, 2**64 - 1), client.incr('end', 1)], [2**64 - 1, 0]
  client.set('word', 'word', nil, raw: true)
  begin
    check 'incr of a word', client.incr('word', 1), 'an error'
  rescue Dalli::DalliError => e
    check 'its error', e.message.include?('6'), true
  end
  check 'alive after that', client.get('word', raw: true), 'word'
  done 'incr decr, from an initial value'
end

def many(client)
  items = (0...500).to_h { |i| ["m#{i}", "value #{i}"] }
  client.multi { items.each { |key, value| client.set(key, value, 100) } }
  check 'get_multi', client.get_multi(*items.keys, 'nothing'), items
  seen = client.get_multi_cas(*items.keys)
  check 'get_multi_cas', [seen.transform_values(&:first), seen.values.map(&:last).uniq.size], [items, 500]
  client.multi do
    items.each_key { |key| client.delete(key) }
    client.set('behind', 1)
  end
  check 'behind quiet deletes', client.get('behind'), 1
  check 'get_multi of what is gone', client.get_multi(*items.keys), {}
  done 'quiet set, delete and get_multi, 500 items'
end

def cas(client)
  client.set('c', 'one')
  check 'cas', stored(client.cas('c') { |value| "#{value} two" }), true
  check 'value after cas', client.get('c'), 'one two'
  check 'cas, absent', client.cas('nothing') { 'x' }, nil
  _, unique = client.get_cas('c')
  check 'set_cas', stored(client.set_cas('c', 'three', unique)), true
  check 'set_cas, used before', client.set_cas('c', 'four', unique) || false, false
  check 'replace_cas, used before', client.replace_cas('c', 'four', unique) || false, false
  check 'delete_cas, used before', client.delete_cas('c', unique) || false, false
  _, unique = client.get_cas('c')
  check 'delete_cas', client.delete_cas('c', unique), true

  client.set('sum', 0)
  client.incr('count', 0, 0, 0)
  4.times.map do
    Thread.new do
      own = connect
      50.times do
        nil until own.cas('sum') { |value| value + 1 }
        own.incr('count', 3)
      end
      own.close
    end
  end.each(&:join)
  check 'sum of cas', client.get('sum'), 200
  check 'sum of incr', client.incr('count', 0), 600
  4.times.map { Thread.new { 50.times { client.incr('count', 1) } } }.each(&:join)
  check 'threads on one connection', client.incr('count', 0), 800
  done 'cas set_cas replace_cas delete_cas; 4 threads add up to 200 by cas and to 600 by incr'
end

def sizes(client)
  client.set('big', NOISE)
  check '900 KB', client.get('big') == NOISE, true
  text = 'compressible ' * 50_000
  packed = connect(compress: true, compression_min_size: 1000)
  packed.set('packed', text)
  check 'compressed', packed.get('packed') == text, true
  10.times { |i| client.set("big#{i}", NOISE) }
  found = client.get_multi((0...10).map { |i| "big#{i}" })
  check 'get_multi of 900 KB', [found.size, found.values.all?(NOISE)], [10, true]
  plain = connect(compress: false)
  begin
    check 'set of 2 MB', plain.set('large', NOISE * 3), 'an error'
  rescue Dalli::DalliError => e
    check 'its error', e.class, Dalli::ValueOverMaxSize
  end
  check 'alive after that', plain.get('big') == NOISE, true
  done '900 KB values, alone and ten at once; compressed value; too large refused'
end

def time(client)
  # Two seconds: the first may be over at once, as seconds of the clock count.
  client.set('touched', 'x', 2)
  client.set('got', 'x', 2)
  client.set('short', 'x', 2)
  check 'touch', client.touch('touched', 100), true
  check 'gat', client.gat('got', 100), 'x'
  check 'touch, absent', client.touch('nothing', 100), nil
  check 'gat, absent', client.gat('nothing', 100), nil
  soon('expiry') { client.get('short').nil? }
  check 'outlived', [client.get('touched'), client.get('got')], %w[x x]
  # Dalli makes a date of it: the protocol takes no longer time.
  client.set('later', 'x', 30 * 24 * 60 * 60 + 100)
  check 'in more than 30 days', client.get('later'), 'x'
  done 'expiry, touch, gat'
end

def distributed
  both = connect(SERVERS)
  items = (0...1000).to_h { |i| ["d#{i}", i] }
  both.multi { items.each { |key, value| both.set(key, value) } }
  check 'get_multi over two', both.get_multi(items.keys), items
  shares = SERVERS.map { |server| connect([server]).get_multi(items.keys).size }
  check 'each item on one server', shares.sum, 1000
  check 'both take part', shares.min > 200, true
  check 'version of two', both.version.size, 2
  done "two servers on its ring, #{shares.join(' and ')} items"
end

def administration(client)
  check 'version', client.version.values.first.start_with?('1.6.'), true
  stats = client.stats.values.first
  check 'stats', %w[pid version curr_items cmd_get].all? { |name| stats.key?(name) }, true
  check 'stats settings', client.stats(:settings).values.first['item_size_max'], (2**20).to_s
  client.get('a')
  check 'reset_stats', client.reset_stats.size, 1
  check 'stats after reset', client.stats.values.first['cmd_get'], '0'
  client.set('a', 'x')
  client.flush
  check 'flush', client.get('a'), nil
  20.times do
    client.close
    client.set('a', 'x')
    check 'after connecting again', client.get('a'), 'x'
  end
  done 'version, stats, stats settings, reset_stats, flush, connected anew'
end

client = connect
case phase
when 'use'
  connect(SERVERS).flush
  storage(client)
  counting(client)
  many(client)
  cas(client)
  sizes(client)
  time(client)
  distributed
  administration(client)
  client.set('kept', { value: 1 }, 1000)
  client.set('kept-big', NOISE)
  client.incr('kept-number', 0, 0, 41)
  both = connect(SERVERS)
  both.multi { 100.times { |i| both.set("kept#{i}", i) } }
  check 'items over two', both.get('kept99'), 99
  done 'left items behind'
else
  check 'item after restart', client.get('kept'), { value: 1 }
  check '900 KB after restart', client.get('kept-big') == NOISE, true
  check 'incr after restart', client.incr('kept-number', 1), 42
  check 'two servers after restart', connect(SERVERS).get_multi((0...100).map { |i| "kept#{i}" }).size, 100
  done 'everything is there after a restart'
end
