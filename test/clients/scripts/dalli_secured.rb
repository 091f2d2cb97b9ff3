# Dalli with TLS and SASL: dalli_secured.rb PORT CA CERTIFICATE KEY USER PASSWORD

require 'dalli'
require 'logger'
require 'openssl'

PORT, CA, CERTIFICATE, KEY, USER, PASSWORD = ARGV
NOISE = Array.new(900_000) { |i| (i * i * 7919 >> 7) & 255 }.pack('C*')
# It says of each failure what it tried.
Dalli.logger = Logger.new(nil)

def check(what, actual, expected)
  return if actual == expected

  abort "#{what}: #{actual.inspect[0, 200]} instead of #{expected.inspect[0, 200]}"
end

def refused(what)
  result = yield
rescue Dalli::DalliError, OpenSSL::SSL::SSLError
  # As it should be.
else
  abort "#{what}: #{result.inspect} instead of a refusal"
end

def connect(known: true, **options)
  context = OpenSSL::SSL::SSLContext.new
  context.set_params(ca_file: CA)
  context.add_certificate(OpenSSL::X509::Certificate.new(File.read(CERTIFICATE)), OpenSSL::PKey.read(File.read(KEY))) if known
  Dalli::Client.new("127.0.0.1:#{PORT}", socket_timeout: 10, ssl_context: context, **options)
end

refused('no certificate') { connect(known: false, username: USER, password: PASSWORD).get('a') }
refused('no password') { connect.get('a') }
refused('wrong password') { connect(username: USER, password: 'wrong').get('a') }
puts 'ok refused without certificate or password'

client = connect(username: USER, password: PASSWORD)
check 'set', client.set('a', 'one').is_a?(Integer), true
check 'get', client.get('a'), 'one'
client.set('big', NOISE)
check '900 KB', client.get('big') == NOISE, true
# Its get_multi asks more of a socket than its own for TLS knows.
client.multi { 500.times { |i| client.set("m#{i}", i) } }
check 'multi', [client.get('m0'), client.get('m499')], [0, 499]
puts 'ok set get multi behind SASL over TLS'
