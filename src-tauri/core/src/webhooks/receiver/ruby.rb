# frozen_string_literal: true

# Receives webhooks of Signalbox and takes only what Signalbox has signed.
# Put the signing secret (whsec_…) into the environment variable SIGNALBOX_SECRET, then: ruby receiver.rb
# In Rails or Sinatra, copy `refusal` and give it `request.raw_post` (Rails) or `request.body.read` (Sinatra).

require "json"
require "openssl"
require "socket"

SECRET = ENV.fetch("SIGNALBOX_SECRET") { abort "Set SIGNALBOX_SECRET to the signing secret of the webhook." }
KEY = SECRET.delete_prefix("whsec_").unpack1("m")
PORT = Integer(ENV.fetch("PORT", "8000"))
TOLERANCE_SECONDS = 5 * 60
MAX_BODY_BYTES = 1024 * 1024

# Ids that were handled. Keep them in your database: this list is gone after a restart.
HANDLED = {}
ONE_AT_A_TIME = Mutex.new

# Your own work comes here. If it raises, the answer is 500 and Signalbox calls again later.
def handle(event, data)
  puts "handled #{event} #{data.keys.join(' ')}"
end

# Why a call is refused; nil when it is genuine. `body` holds the bytes as they came.
def refusal(headers, body)
  id, timestamp, signatures = headers.values_at("webhook-id", "webhook-timestamp", "webhook-signature")
  return "a header is missing" unless id && timestamp && signatures
  unless timestamp.match?(/\A\d+\z/) && (Time.now.to_i - timestamp.to_i).abs <= TOLERANCE_SECONDS
    return "the timestamp is too old or too new"
  end

  mac = OpenSSL::HMAC.digest("SHA256", KEY, "#{id}.#{timestamp}.".b + body)
  expected = "v1,#{[mac].pack('m0')}"
  # While the secret is being changed there are two signatures; one that fits is enough.
  fits = signatures.split.any? do |given|
    given.bytesize == expected.bytesize && OpenSSL.fixed_length_secure_compare(given, expected)
  end
  fits ? nil : "the signature does not fit"
end

# A request's headers, with names in lower case, and its body; or the status that refuses it.
def read_request(client)
  client.gets("\r\n", 8192)
  headers = {}
  while (line = client.gets("\r\n", 8192)&.chomp) && !line.empty?
    name, value = line.split(":", 2)
    headers[name.downcase] = value.to_s.strip
  end
  length = Integer(headers["content-length"], exception: false)
  return 411 unless length
  return 413 if length > MAX_BODY_BYTES

  [headers, client.read(length).to_s]
end

def answer(client)
  headers, body = read_request(client)
  return [headers, "not read"] unless body

  refused = refusal(headers, body)
  return [401, refused] if refused

  ONE_AT_A_TIME.synchronize do
    id = headers["webhook-id"]
    next [200, "handled before"] if HANDLED[id]

    handle(headers["x-webhook-event"], JSON.parse(body))
    HANDLED[id] = true
    [200, "handled"]
  end
rescue StandardError => e
  warn e.full_message
  [500, "failed"]
end

$stdout.sync = true
server = TCPServer.new("127.0.0.1", PORT)
puts "Listening at http://127.0.0.1:#{server.addr[1]}/"
loop do
  Thread.new(server.accept) do |client|
    status, text = answer(client)
    client.write "HTTP/1.1 #{status} Answer\r\nContent-Type: text/plain\r\n" \
                 "Content-Length: #{text.bytesize}\r\nConnection: close\r\n\r\n#{text}"
  ensure
    client.close
  end
end
